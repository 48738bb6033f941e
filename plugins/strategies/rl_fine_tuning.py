"""Reinforcement learning that goes on: a policy learned on the source is trained further on the target.

A policy that has learned acts almost deterministically, and finds little else on the target ("lack of exploration");
and what it was given by its source may be worth keeping, or in the way. The parameters say which part stands still,
which begins anew, and how it comes to explore again.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch

from studio.contracts import Problem
from studio.errors import ExperimentError
from studio.experiment import Domain, Experiment, Settings, setting
from studio.rl.moments import Moments
from studio.rl.policy import GaussianActorCritic, flatten
from studio.rl.ppo import PPO, PPOParams
from studio.rl.strategy import ReinforcementStrategy


class Carried(Settings):
    """What of the source's policy is kept, and how it comes to explore again; its fields come first."""

    exploration: Literal["none", "fresh_log_std", "temperature", "entropy"] = setting(
        "fresh_log_std",
        "Exploration",
        "Carried over; as wide as a new policy's; the source's times the temperature; or rewarded.",
    )
    temperature: float = setting(3.0, "Temperature", "Factor of the standard deviation.", gt=0, le=100)
    entropy_bonus: float = setting(0.01, "Entropy bonus", "Entropy weight where exploring is rewarded.", ge=0, le=10)
    freeze: Literal["nothing", "first_layers", "all_but_last_layer", "critic"] = setting(
        "nothing", "Freeze", "Which parameters stay as they are."
    )
    frozen_layers: int = setting(
        1, "Frozen layers", "Of actor and critic, where first layers stand still.", "layers", ge=1, le=8
    )
    reset: Literal["nothing", "critic", "last_layer", "critic_and_last_layer"] = setting(
        "nothing", "Reset", "Which parameters begin anew; the last layer is the actor's."
    )
    normalization: Literal["keep", "anew"] = setting(
        "keep", "Normalization", "Statistics of the observations: the source's, which go on, or new ones."
    )


class RLFineTuning(ReinforcementStrategy):
    """PPO on the target, from the source's policy, critic, exploration and statistics, or from parts of them."""

    id = "rl_fine_tuning"
    title = "RL fine-tuning"
    summary = "A policy learned on the source goes on learning on the target, with exploration regained as chosen."
    reference = "Yosinski et al. 2014 (arXiv:1411.1792); user document 2, Forward Transfer Learning: fine-tuning"
    tags = ("reinforcement", "fine-tuning")
    needs_source = True

    class Params(PPOParams, Carried):
        """What is carried over, how it explores, optimization and collection."""

    def training_domain(self, experiment: Experiment) -> Domain:
        return experiment.target

    def first_policy(self, context: Any, world: Any) -> GaussianActorCritic:
        policy: GaussianActorCritic = context.source_policy()
        inputs, outputs = flatten(world.observe([0])).shape[1], len(world.control.low)
        if (policy.params.inputs, policy.params.outputs) != (inputs, outputs):
            sees, moves = policy.params.inputs, policy.params.outputs
            raise ExperimentError(
                f"The source policy's observations and actions are {sees} and {moves} wide, the target's {inputs} and "
                f"{outputs}.",
                "target.task",
                "Choose tasks of the same widths.",
            )
        blank = context.empty_policy()
        blank.fit(inputs, world.control.low, world.control.high, context.experiment.seed)
        carry(policy, blank.to(context.device), self.params)
        return policy

    def learner(self, policy: Any, world: Any, plan: Experiment, say: Any) -> Any:
        bonus = {"entropy_weight": self.params.entropy_bonus} if self.params.exploration == "entropy" else {}
        settings = self.params.model_copy(update=bonus)
        return PPO(policy, world, settings, iterations=plan.budget.iterations, seed=plan.seed, say=say)

    def check(self, experiment: Experiment) -> list[Problem]:
        problems, p = super().check(experiment), self.params
        if p.freeze == "critic" and p.reset in ("critic", "critic_and_last_layer"):
            problems.append(
                Problem(
                    "strategy.params.freeze", "A critic that begins anew cannot stand still.", "Choose one of them."
                )
            )
        layers = experiment.policy.params.get("layers", GaussianActorCritic.Params().layers)
        if p.freeze == "first_layers" and p.frozen_layers > layers:
            message = f"The policy has {layers} hidden layers; {p.frozen_layers} are to stand still."
            problems.append(
                Problem("strategy.params.frozen_layers", message, "Freeze fewer, or all but the last layer.")
            )
        return problems


def carry(policy: GaussianActorCritic, blank: GaussianActorCritic, p: RLFineTuning.Params) -> None:
    """Makes of a source's policy what training on the target begins with; ``blank`` gives what begins anew."""
    with torch.no_grad():
        if p.exploration == "fresh_log_std":
            policy.log_std.copy_(blank.log_std)
        elif p.exploration == "temperature":
            policy.log_std.add_(math.log(p.temperature))
    if p.reset in ("critic", "critic_and_last_layer"):
        policy.critic.load_state_dict(blank.critic.state_dict())
    if p.reset in ("last_layer", "critic_and_last_layer"):
        policy.actor[-1].load_state_dict(blank.actor[-1].state_dict())
    if p.normalization == "anew":
        policy.moments.load_state_dict(Moments(policy.params.inputs).state_dict())
    frozen: list[torch.nn.Module] = []
    if p.freeze == "critic":
        frozen = [policy.critic]
    elif p.freeze != "nothing":  # a layer and what follows it, twice for each hidden layer
        count = 2 * (policy.params.layers if p.freeze == "all_but_last_layer" else p.frozen_layers)
        frozen = [*policy.actor[:count], *policy.critic[:count]]
    for module in frozen:
        module.requires_grad_(False)
