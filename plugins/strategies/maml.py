"""MAML: weights from which a few gradient steps on a new task lead to a policy for that task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from studio.contracts import (
    Array,
    Context,
    Metrics,
    Policy,
    Problem,
    Requires,
    ResolvedDomain,
    Shots,
    Stateful,
    Strategy,
)
from studio.experiment import Experiment
from studio.meta.gradient_policy import GradientPolicy, InnerLoopParams
from studio.meta.meta_gradient_params import MetaGradientParams
from studio.meta.meta_gradient_strategy import MetaGradientStrategy
from studio.meta.support_learner import SupportParams
from studio.meta.support_strategy import TINY, SupportStrategy
from studio.meta.task_actor import TaskActor

POINT = {"embodiment": "point", "task": "half_circle_dense", "control": "motor", "observation": "state"}


class MAML(Strategy):
    """Trains the weights that an inner loop of gradient steps starts from, by the exact gradient of the loss after it.

    Of the policy ``task_mlp`` it learns from rewards: a shot is a step of policy gradient. Of ``gradient_mlp`` it
    learns from labels, the examples of the source's scripted expert: a shot is one of these.
    """

    id = "maml"
    title = "MAML"
    summary = "Learns weights from which a few gradient steps adapt to a new task of the family."
    reference = (
        "Finn, Abbeel and Levine 2017, arXiv:1703.03400; elementwise rates: Li et al. 2017 (Meta-SGD), arXiv:1707.09835"
    )
    tags = ("imitation", "reinforcement", "meta-learning")
    requires = Requires(same_spaces=True, task_family=True, evaluate_at_zero=True)
    adapts = True
    unused_budget = ("batch_size",)
    example = {
        **TINY,
        "policy": {"id": GradientPolicy.id, "params": {"width": 8}},
        "strategy": {
            "params": {
                **TINY["strategy"]["params"], "inner_steps": 2, "learn_rates": True, "elementwise_rates": True,
            }
        },
    }  # fmt: skip
    example_variants = {
        "rewards": {
            "source": POINT,
            "target": {**POINT, "task": "half_circle"},
            "policy": {"id": TaskActor.id, "params": {"width": 8}},
            "strategy.params": {
                "meta_batch": 3, "episodes": 2, "inner_steps": 2, "learn_rates": True, "every_step": True,
                "exploration_std": 0.5, "advantage_scale": "family", "physics_threads": 1,
            },
            "evaluation.held_out": "inside",
        }
    }  # fmt: skip

    class Params(SupportParams, MetaGradientParams):
        """The inner loop and the meta-batch. From labels: support, query, tasks and the outer loop's learning rate.
        From rewards: episodes, advantages and the outer loop's trust region."""

    def check(self, experiment: Experiment) -> list[Problem]:
        learning = self._learning(experiment)
        used, found = type(learning).Params.model_fields, learning.check(experiment)
        for name, value in self.params:
            if name not in used and value != type(self).Params.model_fields[name].default:
                message = f"'{experiment.policy.id}' learns from {learning.learns_from}, so {name} has no effect."
                found.append(
                    Problem(f"{self.settings_field}.{name}", message, "Leave it out, or choose another policy.")
                )
        return found

    def check_domains(self, experiment: Experiment, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        return self._learning(experiment).check_domains(experiment, domains)

    def setup(self, context: Context[Any]) -> None:
        self._chosen = self._learning(context.experiment)
        self.units = self._chosen.units
        self._chosen.setup(context)

    def iterate(self) -> Iterator[Metrics]:
        return self._chosen.iterate()

    def policy(self) -> Any:
        return self._chosen.policy()

    def adapt(self, shots: Shots) -> Policy:
        return self._chosen.adapt(shots)

    def support_places(self, shots: Shots) -> Array:
        return self._chosen.support_places(shots)

    def stateful(self) -> Mapping[str, Stateful]:
        return self._chosen.stateful()

    def _learning(self, experiment: Experiment) -> FromRewards | FromLabels:
        """Return what learns as the policy says."""
        from_rewards = experiment.policy.id == TaskActor.id
        return FromRewards(self.params) if from_rewards else FromLabels(self.params)


class FromLabels(SupportStrategy):
    """Adapts to labeled examples."""

    title = MAML.title
    policies = (GradientPolicy.id, TaskActor.id)  # the second is for FromRewards, and named where another is chosen
    learns_from = "examples"

    class Params(SupportParams, InnerLoopParams):
        """The inner loop, the tasks, and the outer loop."""

    def first_policy(self, context: Context[Any]) -> GradientPolicy:
        policy = super().first_policy(context)
        assert isinstance(policy, GradientPolicy)
        policy.set_inner_loop(self.params)
        return policy


class FromRewards(MetaGradientStrategy):
    """Adapts to rewards."""

    title = MAML.title
    policies = (TaskActor.id,)
    learns_from = "rewards"
