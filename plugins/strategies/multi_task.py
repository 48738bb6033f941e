"""One policy for a family of tasks, conditioned on the task's context ω and trained on all of them together.

The family is the source's own (a direction, a velocity, a goal), or its dynamics with observed randomized values.
The target defines the contexts on which the policy is scored: held-out ones inside the range, or outside of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from studio.contracts import Context, Metrics, Problem, Requires, Stateful
from studio.experiment import Domain, Experiment, Settings, setting
from studio.meta.hidden_context import hidden, ignore_context
from studio.rl.algorithm_choice import AlgorithmChoice, ChosenAlgorithm
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.collectors.context_returns import ContextReturns, components
from studio.rl.networks.policy import FlatPolicy
from studio.rl.strategy import TINY, TINY_PPO
from studio.sim.tasks.contexts import context_observable
from studio.sim.world import World

_POINT = {"embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "goal"}


class ContextVisibility(Settings):
    """Whether the policy observes the context; its field comes first."""

    context: Literal["observed", "hidden"] = setting(
        "observed",
        "Context",
        "observed: the policy receives the task's context. hidden: it does not, as a control experiment.",
    )


class MultiTask(ChosenAlgorithm):
    """PPO or SAC with a context of the source's family in each episode, and a logged return for each context."""

    id = "multi_task"
    title = "Multi-task"
    summary = "One policy for a whole task family, conditioned on the task's context: π(a|s,ω)."
    reference = "Schaul et al. 2015 (ICML, UVFA)"
    tags = ("reinforcement", "multi-task")
    requires = Requires(same_spaces=True, task_family=True, evaluate_at_zero=True)
    example = {
        **TINY,
        "source": _POINT,
        "target": _POINT,
        "strategy": {"params": {**TINY_PPO, "steps": 64}},  # some episodes end
    }

    class Params(PPOParams, ContextVisibility, AlgorithmChoice):
        """Algorithm, visibility of the context, optimization and collection."""

    def training_domain(self, experiment: Experiment) -> Domain:
        source = experiment.source
        return source if self.params.context == "observed" else hidden(source)

    def first_policy(self, context: Context[World], world: World) -> FlatPolicy:
        policy = super().first_policy(context, world)
        if self.params.context == "hidden":
            ignore_context(policy)
        return policy

    def check(self, experiment: Experiment) -> list[Problem]:
        problems, source = super().check(experiment), experiment.source
        blind = source.observes("state") and not context_observable(source)
        if blind and self.params.context == "observed":
            message = (
                "The policy observes neither the task's context nor a randomized value, so it cannot distinguish "
                "the tasks."
            )
            remedy = (
                "Observe the goal, or mark a randomization term as observed. To withhold both on purpose, set "
                "context to hidden."
            )
            problems.append(Problem("source.observation", message, remedy))
        return problems

    def setup(self, context: Context[Any]) -> None:
        super().setup(context)
        self._returns = ContextReturns(self._world, components(context.experiment.source, self._world.task))
        self._world.observers.append(self._returns)

    def iterate(self) -> Iterator[Metrics]:
        for found in super().iterate():
            values = {**found.values, **self._returns.metrics()}
            yield Metrics(found.step, found.total, values, found.stage, found.share)

    def stateful(self) -> Mapping[str, Stateful]:
        return {**super().stateful(), "contexts": self._returns}
