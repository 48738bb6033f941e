"""The base of the strategies that learn, from labeled examples of many tasks, to adapt to those of a new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, ClassVar

import numpy as np

from studio.contracts import Context, Metrics, Policy, Problem, Requires, ResolvedDomain, Shots, Stateful, Strategy
from studio.experiment import Experiment
from studio.meta.examples import SupportTrials, collect_examples
from studio.meta.hidden_context import hidden
from studio.meta.support_learner import UNITS, SupportLearner, SupportParams
from studio.meta.support_perceptron import SupportPerceptron
from studio.nn.snapshot import snapshot
from studio.rl.learners import check_compiler
from studio.seeds import demonstration_seed, training_episode_seed

SINUSOID = {"embodiment": "pen", "task": "sinusoid", "control": "motor", "observation": "state"}
TINY: dict[str, Any] = {
    "name": "example",
    "source": SINUSOID,
    "target": SINUSOID,
    "strategy": {"params": {"support": 2, "query": 2, "tasks": 8, "meta_batch": 4, "updates": 2, "update": "eager"}},
    "budget": {"iterations": 8, "checkpoint_every": 3, "threads": 1},
    "evaluation": {"episodes": 3, "source_episodes": 0, "every": 4, "short_episodes": 2, "shots": [0, 2]},
    "device": "cpu",
}


class SupportStrategy(Strategy):
    """Collects the scripted expert's examples of tasks of the source's family, and trains a policy to be adapted to
    some of a task's examples so that it does well on the others. The policy never observes the context.

    ``evaluation.shots`` is a number of the expert's episodes of a new task: its support.
    """

    requires = Requires(same_spaces=True, task_family=True, evaluate_at_zero=True)
    adapts = True
    unused_budget = ("batch_size",)
    policies: ClassVar[tuple[str, ...]]  # the policies that it can train
    units = UNITS

    class Params(SupportParams):
        """Tasks, their examples, and the outer loop."""

    def first_policy(self, context: Context[Any]) -> SupportPerceptron:
        """Return the policy that training starts from, still without sizes."""
        policy = context.policy(pretrained=False)
        assert isinstance(policy, SupportPerceptron)  # as :attr:`policies` says
        return policy

    def check(self, experiment: Experiment) -> list[Problem]:
        if experiment.policy.id not in self.policies:
            message = f"'{self.title}' cannot train '{experiment.policy.id}'."
            return [Problem("policy.id", message, f"Choose {' or '.join(self.policies)}.")]
        found = check_compiler(self.params, self.settings_field)
        if self.params.meta_batch > self.params.tasks:
            words = f"There are {self.params.tasks} tasks, fewer than a meta-batch."
            found.append(Problem(f"{self.settings_field}.tasks", words, f"Choose {self.params.meta_batch} or more."))
        return found

    def check_domains(self, experiment: Experiment, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        source, found = domains["source"], []
        ways = source.task.actions if source.domain.control == "discrete" else 1
        for name, count in (("support", self.params.support), ("query", self.params.query)):
            if count % ways:
                words = f"The family has {ways} classes, and {count} episodes are no whole number for each."
                found.append(Problem(f"{self.settings_field}.{name}", words, f"Choose a multiple of {ways}."))
        return found

    def setup(self, context: Context[Any]) -> None:
        plan, params, source = context.experiment, self.params, context.sources[0]
        domain = source.changed(hidden(source.domain))
        self._policy = self.first_policy(context)
        world = context.world(domain, 1, 1)
        self._policy.fit_to(world, plan.seed)
        world.close()
        self._policy.to(context.device)
        seed = training_episode_seed(plan.seed)
        examples = collect_examples(domain, params.tasks, params.support + params.query, seed, context.progress)
        self._policy.fit_scales(examples)
        self._learner = SupportLearner(self._policy, examples, params, plan.budget.iterations, plan.seed, context.log)

    def iterate(self) -> Iterator[Metrics]:
        return self._learner.iterate()

    def policy(self) -> SupportPerceptron:
        return self._policy

    def adapt(self, shots: Shots) -> Policy:
        """Return the policy for a task after so many of the expert's episodes of it."""
        policy = snapshot(self._policy)
        if shots.count:
            with support_of(shots) as trials:
                policy.start_from(policy.adapted(*trials.examples().flat()))
        return policy

    def support_places(self, shots: Shots) -> np.ndarray:
        if not shots.count:
            return super().support_places(shots)
        with support_of(shots) as trials:
            return trials.places()

    def stateful(self) -> Mapping[str, Stateful]:
        return {"learner": self._learner}


def support_of(shots: Shots) -> closing[SupportTrials]:
    """Return the expert's episodes of a new task, still to be played."""
    return closing(SupportTrials(shots.domain, [demonstration_seed(shots.seed)], shots.count))
