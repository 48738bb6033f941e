"""Reinforcement learning that goes on: a policy learned on the source is trained further on the target.

A policy that has learned acts almost deterministically, and finds little else on the target ("lack of exploration");
and what it was given by its source may be worth keeping, or in the way. The parameters say which part stands still,
which begins anew, and how it comes to explore again.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from studio.contracts import Problem, Requires
from studio.errors import ExperimentError
from studio.experiment import Domain, Experiment, setting
from studio.registry import shared_registry
from studio.rl.algorithms.ppo import PPOParams
from studio.rl.choice import AlgorithmChoice, ChosenAlgorithm
from studio.rl.networks.gaussian import flatten
from studio.rl.warm_start import WarmStartParams, WarmStartSACParams, check_warm_start, warm_start


class RLFineTuning(ChosenAlgorithm):
    """PPO or SAC on the target, from the source's policy: its actor, critic and statistics, or parts of them."""

    id = "rl_fine_tuning"
    title = "RL fine-tuning"
    summary = (
        "Continues training a source policy on the target by PPO or SAC, with options to restore exploration, reset "
        "layers or freeze them."
    )
    reference = "Yosinski et al. 2014 (arXiv:1411.1792)"
    tags = ("reinforcement", "fine-tuning")
    requires = Requires(source_policy=True, same_spaces=True, evaluate_at_zero=True)

    class Params(PPOParams, WarmStartParams, AlgorithmChoice):
        """What trains, what is carried over and how it explores, optimization and collection."""

        sac: WarmStartSACParams = setting(
            WarmStartSACParams(), "SAC", "Parameters of SAC, used if it is the algorithm."
        )

    @property
    def settings(self) -> Any:
        found, exploration = super().settings, self.params.exploration
        if self.params.algorithm == "sac":
            anew = {"alpha": self.params.fresh_alpha}
            return found.model_copy(update=anew) if exploration == "temperature" else found
        bonus = {"entropy_weight": found.entropy_weight or self.params.entropy_bonus}
        return found.model_copy(update=bonus) if exploration == "entropy" else found

    def training_domain(self, experiment: Experiment) -> Domain:
        return experiment.target

    def first_policy(self, context: Any, world: Any) -> Any:
        policy = context.policy(pretrained=True)
        inputs, outputs = flatten(world.observe([0]), policy.params.ignored).shape[1], len(world.control.low)
        if (policy.params.inputs, policy.params.outputs) != (inputs, outputs):
            sees, moves = policy.params.inputs, policy.params.outputs
            raise ExperimentError(
                f"The source policy has {sees} observations and {moves} actions, the target {inputs} and {outputs}.",
                "target.task",
                "Choose tasks with the same observation and action spaces.",
            )
        blank = context.policy(pretrained=False)
        blank.fit(inputs, world.control.low, world.control.high, context.experiment.seed)
        warm_start(policy, blank.to(context.device), self.params)
        return policy

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        try:
            kind = shared_registry().get("policies", experiment.policy.id, "policy.id")
            layers = kind.Params(**experiment.policy.params).layers
        except (ExperimentError, ValidationError, AttributeError):  # what is wrong with the policy is said at its field
            return problems
        return [*problems, *check_warm_start(self.params, layers, self.params.algorithm == "sac")]
