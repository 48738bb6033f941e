"""RL fine-tuning: a policy trained on the source continues to train on the target.

A trained policy acts almost deterministically and explores little on the target, and its features may help there or
not. The parameters choose which parts are kept, frozen or reset, and how exploration is restored.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from studio.contracts import Context, Problem, Requires
from studio.errors import ExperimentError
from studio.experiment import Domain, Experiment, setting
from studio.registry import shared_registry
from studio.rl.algorithm_choice import AlgorithmChoice, ChosenAlgorithm
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.networks.observations import flatten
from studio.rl.warm_start import Startable, WarmStartParams, WarmStartSACParams, check_warm_start, warm_start
from studio.sim.world import World


class RLFineTuning(ChosenAlgorithm):
    """PPO or SAC on the target, starting from the source policy's actor, critic and statistics, or parts of them."""

    id = "rl_fine_tuning"
    title = "RL fine-tuning"
    summary = (
        "Continues training a source policy on the target by PPO or SAC, with options to restore exploration, reset "
        "layers or freeze them."
    )
    reference = "Yosinski et al. 2014 (arXiv:1411.1792)"
    tags = ("reinforcement", "fine-tuning")
    discrete = False  # its ways to explore again are about standard deviations
    requires = Requires(source_policy=True, same_spaces=True, evaluate_at_zero=True)

    class Params(PPOParams, WarmStartParams, AlgorithmChoice):
        """Algorithm, warm start and exploration, optimization and collection."""

        sac: WarmStartSACParams = setting(
            WarmStartSACParams(), "SAC", "Parameters of SAC, used if it is the algorithm."
        )

    @property
    def settings(self) -> Any:
        chosen, exploration = super().settings, self.params.exploration
        if self.params.algorithm == "sac":
            fresh = {"alpha": self.params.fresh_alpha}
            return chosen.model_copy(update=fresh) if exploration == "temperature" else chosen
        bonus = {"entropy_weight": chosen.entropy_weight or self.params.entropy_bonus}
        return chosen.model_copy(update=bonus) if exploration == "entropy" else chosen

    def training_domain(self, experiment: Experiment) -> Domain:
        return experiment.target

    def first_policy(self, context: Context[World], world: World) -> Startable:
        policy = context.policy(pretrained=True)
        assert isinstance(policy, Startable)
        inputs, outputs = flatten(world.observe(slice(1)), policy.params.ignored).shape[1], len(world.control.low)
        if (policy.params.inputs, policy.params.outputs) != (inputs, outputs):
            raise ExperimentError(
                f"The source policy has {policy.params.inputs} inputs and {policy.params.outputs} actions, the target "
                f"has {inputs} and {outputs}.",
                "target.task",
                "Choose tasks with the same observation and action spaces.",
            )
        blank = context.policy(pretrained=False)
        assert isinstance(blank, Startable)
        blank.fit_to(world, context.experiment.seed)
        warm_start(policy, blank.to(context.device), self.params)
        return policy

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        try:
            kind = shared_registry().get("policies", experiment.policy.id, "policy.id")
            layers = kind.Params(**experiment.policy.params).layers
        except (ExperimentError, ValidationError, AttributeError):  # the policy's own check reports it
            return problems
        return [*problems, *check_warm_start(self.params, layers, self.params.algorithm == "sac")]
