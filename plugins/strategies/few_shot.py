"""Meta-learned initialization for behavior cloning: a few demonstrations of a new task and a few gradient steps."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch

from studio.contracts import (
    Context,
    EmbodimentSpec,
    Metrics,
    Policy,
    Problem,
    Requires,
    ResolvedDomain,
    Shots,
    Stateful,
    Strategy,
)
from studio.data.batches import BatchSampler, Mixed
from studio.experiment import Experiment, Settings, setting
from studio.il.cloning import UNITS, BehaviorCloning
from studio.il.mixture import bind_sources, source_datasets
from studio.meta.adaptable import Adaptable
from studio.meta.task_batches import TaskBatches
from studio.registry import shared_registry
from studio.run.adapter_targets import hollow_policy, module_tree

LEAST_FRAMES = 4  # of a task's support, and of its query


class FewShot(Strategy):
    """Every source domain is a task. In each batch the policy is adapted to a few episodes of some tasks by an inner
    loop of gradient steps, and what is trained is the loss of the adapted policies on other episodes of these tasks.

    On the target it is adapted to ``target.episodes`` demonstrations, or to as many as ``evaluation.shots`` says.
    """

    id = "few_shot"
    title = "Few-shot adaptation"
    summary = "Learns from several sources an initialization that a few target demonstrations and gradient steps adapt."
    reference = (
        "Finn et al. 2017 (MAML), arXiv:1703.03400; for imitation: Finn et al. 2017, arXiv:1709.04905; elementwise "
        "rates: Li et al. 2017 (Meta-SGD), arXiv:1707.09835"
    )
    tags = ("imitation", "meta-learning")
    requires = Requires(source_data=True, target_data=True, sources=(2, None))
    adapts = True
    units = UNITS
    example: ClassVar[Mapping[str, Any]] = {
        "name": "example",
        "sources": [
            {"task": "reach_uncalibrated", "observation": "goal", "episodes": 3, "contexts": [[0, place, 0]]}
            for place in (-0.1, 0.1)
        ],
        "target": {"task": "reach_uncalibrated", "observation": "goal", "episodes": 2, "embodiment": "ur5_6dof"},
        "policy": {"id": "token_transformer", "params": {"width": 16, "layers": 1}},
        "strategy": {"params": {"tasks": 2, "support_episodes": 1, "inner_steps": 2}},
        "budget": {"iterations": 10, "batch_size": 16, "checkpoint_every": 3, "threads": 1},
        "evaluation": {"episodes": 2, "shots": [1, 2]},
        "device": "cpu",
    }

    class Params(Settings):
        """The inner loop, and the outer one that trains what it starts from."""

        learning_rate: float = setting(
            1e-3, "Learning rate", "Peak learning rate of the outer loop's cosine schedule (AdamW).", gt=0, le=1
        )
        weight_decay: float = setting(1e-4, "Weight decay", "Weight decay of AdamW.", ge=0, le=1)
        tasks: int = setting(8, "Tasks in a batch", "Number of sources in a batch, at most all of them.", ge=1, le=256)
        support_episodes: int = setting(
            5, "Support episodes", "In training a task is adapted to 1 to this many of its episodes.", ge=1, le=1000
        )
        inner_steps: int = setting(3, "Inner steps", "Gradient steps of an adaptation.", ge=1, le=100)
        inner_rate: float = setting(0.05, "Inner rate", "Learning rate of the inner loop, at first.", gt=0, le=10)
        learn_rates: bool = setting(
            True, "Learn rates", "Also learn the inner loop's rates, one for each parameter tensor and step."
        )
        elementwise_rates: bool = setting(
            False,
            "Elementwise rates",
            "Rates of its own for every number of a tensor (Meta-SGD): adapts one input and leaves another as it is.",
            since=2,
        )
        adapted_modules: list[str] = setting(
            [],
            "Adapted modules",
            "Names of the policy's modules that the inner loop changes, such as input_layer; none: all.",
            since=2,
        )
        first_order: bool = setting(
            False, "First order", "Treat inner gradients as constants: cheaper, without second derivatives."
        )

    def check(self, experiment: Experiment) -> list[Problem]:
        params, problems = self.params, []
        for name, source in experiment.domains.items():
            if name != "target" and not source.datasets and source.episodes <= params.support_episodes:
                words = (
                    f"{source.episodes} episodes leave none for the query beside {params.support_episodes} of support."
                )
                remedy = f"Choose {params.support_episodes + 1} episodes or more, or a smaller support."
                problems.append(Problem(f"{name}.episodes", words, remedy))
        least = 2 * LEAST_FRAMES * min(params.tasks, len(experiment.sources))
        if experiment.budget.batch_size < least:
            words = f"A batch of {experiment.budget.batch_size} frames is too small for support and query of its tasks."
            problems.append(Problem("budget.batch_size", words, f"Choose {least} or more, or fewer tasks in a batch."))
        return [*problems, *self._unknown_modules(experiment)]

    def _unknown_modules(self, experiment: Experiment) -> list[Problem]:
        """Return the problem of a name that no module of the policy has."""
        if not self.params.adapted_modules:
            return []
        known = [part.name for part in module_tree(hollow_policy(experiment, shared_registry()))]
        unknown = [name for name in self.params.adapted_modules if name not in known]
        words = f"The policy has no module '{', '.join(unknown)}' with parameters that could be adapted."
        remedy = f"Choose from {', '.join(name for name in known if '.' not in name)}; or none, which adapts all."
        return [Problem("strategy.params.adapted_modules", words, remedy)] if unknown else []

    def setup(self, context: Context[Any]) -> None:
        budget, params = context.experiment.budget, self.params
        policy: Any = context.policy(pretrained=False).train()
        episodes = [context.demonstrations(source) for source in context.sources]
        specs = [EmbodimentSpec.of(domain, own) for domain, own in zip(context.sources, episodes, strict=True)]
        bind_sources(policy, specs)
        tasks = source_datasets(episodes)
        many = min(params.tasks, len(tasks))
        frames = budget.batch_size // (2 * many)
        batches = TaskBatches(policy, tasks, many, params.support_episodes, frames, context.experiment.seed)
        self._context, self._policy = context, policy
        self._adaptable = Adaptable(
            policy,
            params.inner_steps,
            params.inner_rate,
            params.learn_rates,
            params.first_order,
            params.adapted_modules,
            params.elementwise_rates,
        ).to(context.device)
        self._learner = BehaviorCloning(
            self._adaptable,
            batches,
            [p for p in self._adaptable.parameters() if p.requires_grad],
            iterations=budget.iterations,
            learning_rate=params.learning_rate,
            weight_decay=params.weight_decay,
        )

    def iterate(self) -> Iterator[Metrics]:
        return self._learner.iterate()

    def policy(self) -> Any:
        experiment = self._context.experiment
        return self.adapt(Shots(self._context.target, experiment.target.episodes, experiment.seed))

    def adapt(self, shots: Shots) -> Policy:
        domain: ResolvedDomain = shots.domain
        # without shots one demonstration still says what the robot's numbers are like
        support = self._context.demonstrations(domain, shots.seed).take(max(shots.count, 1))
        start: Any = copy.deepcopy(self._policy)
        start.bind([EmbodimentSpec.of(domain, support)], keep=True)
        if not shots.count:
            unadapted: Policy = start.eval()
            return unadapted
        rows = BatchSampler(start, [Mixed(support)], 1, 0).part(0, torch.arange(support.frames))
        adapted: Policy = self._adaptable.adapted(start, rows).eval()
        return adapted

    def stateful(self) -> Mapping[str, Stateful]:
        return {"adaptable": self._adaptable, "learner": self._learner}
