"""Start training from a trained policy: which parts are kept, frozen or reinitialized, and how it explores again."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from studio.contracts import Problem
from studio.experiment import Settings, setting
from studio.nn.running_mean_std import RunningMeanStd
from studio.rl.algorithms.sac import SACParams
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.squashed import SquashedActorCritic

Startable = GaussianActorCritic | SquashedActorCritic  # what PPO and SAC train, with a memory or without


class WarmStartSACParams(SACParams):
    """Optimization and collection, starting from a trained policy."""

    alpha: float = setting(0.01, "α", "Initial temperature of SAC.", gt=0, le=100)
    learning_starts: int = setting(
        1000,
        "Learning starts",
        "Steps with the source policy's actions before the first update.",
        "steps",
        ge=0,
        le=10_000_000,
    )
    random_start: ClassVar[bool] = False


class WarmStartParams(Settings):
    """Which parts of the source policy are kept, and how it explores again: a mixin whose fields come first."""

    exploration: Literal["none", "fresh_log_std", "temperature", "entropy"] = setting(
        "fresh_log_std",
        "Exploration",
        "none: as the source policy explores. fresh_log_std: the standard deviations of a new policy. temperature: "
        "theirs, scaled (SAC: a fresh temperature). entropy: an entropy bonus.",
    )
    temperature: float = setting(3.0, "Temperature", "Factor on the policy's standard deviation.", gt=0, le=100)
    entropy_bonus: float = setting(0.01, "Entropy bonus", "Entropy weight if exploration is rewarded.", ge=0, le=10)
    fresh_alpha: float = setting(1.0, "Fresh α", "SAC's initial temperature if it is reset.", gt=0, le=100)
    freeze: Literal["nothing", "first_layers", "all_but_last_layer", "critic"] = setting(
        "nothing", "Freeze", "Parameters that are not trained; reset parameters always are."
    )
    frozen_layers: int = setting(
        1, "Frozen layers", "Number of first layers of actor and critic to freeze.", "layers", ge=1, le=8
    )
    reset: Literal["nothing", "critic", "last_layer", "critic_and_last_layer"] = setting(
        "nothing", "Reset", "Parameters to reinitialize: the critic with its reward scale, or the actor's last layer."
    )
    normalization: Literal["keep", "reset"] = setting(
        "keep", "Normalization", "Observation statistics: keep the source policy's, or reset them."
    )


def check_warm_start(p: WarmStartParams, layers: int, soft: bool) -> list[Problem]:
    """Return which of the parameters contradict each other, or the policy.

    Args:
        layers: number of the policy's hidden layers.
        soft: whether SAC trains it.
    """
    problems = []
    if p.freeze == "critic" and p.reset in ("critic", "critic_and_last_layer"):
        problems.append(("freeze", "A critic that is reset cannot be frozen.", "Choose one of them."))
    if p.freeze == "first_layers" and p.frozen_layers > layers:
        message = f"The policy has {layers} hidden layer{'s' * (layers != 1)}; {p.frozen_layers} cannot be frozen."
        problems.append(("frozen_layers", message, "Freeze fewer layers; at most all but the last."))
    if soft and p.freeze == "critic":
        problems.append(("freeze", "SAC's critics must be trained.", "Freeze layers, or choose PPO."))
    if soft and p.exploration == "entropy":
        problems.append(("exploration", "SAC rewards entropy through its temperature.", "Choose temperature."))
    if soft and p.normalization == "reset":
        problems.append(("normalization", "SAC does not normalize observations.", "Choose keep."))
    return [Problem(f"strategy.params.{field}", message, remedy) for field, message, remedy in problems]


def warm_start(policy: Startable, blank: Startable, p: WarmStartParams) -> None:
    """Turn a source policy, in place, into the one that training on the target starts from.

    Args:
        blank: a new policy of the same kind and widths, whose parameters replace those that are reset.
    """
    soft = policy.algorithm == "sac"
    actor, critic = _layers(policy.actor), _layers(policy.critics if soft else policy.critic)
    new_actor, new_critic = _layers(blank.actor), _layers(blank.critics if soft else blank.critic)
    fresh_critic = p.reset in ("critic", "critic_and_last_layer")
    if fresh_critic:
        for old, new in zip(critic, new_critic, strict=True):
            _copy(old, new)
        if not soft:
            policy.rewards.load_state_dict(blank.rewards.state_dict())
    if p.reset in ("last_layer", "critic_and_last_layer"):
        _copy(actor[-1], new_actor[-1])
    with torch.no_grad():
        if p.exploration == "fresh_log_std" and soft:
            for old, new in zip(actor[-1], new_actor[-1], strict=True):  # the second half of the outputs: log-stds
                half = old.shape[-1] // 2
                old[..., half:] = new[..., half:]
        elif p.exploration == "fresh_log_std":
            policy.log_std.copy_(blank.log_std)
        elif p.exploration == "temperature" and not soft:
            policy.log_std.add_(math.log(p.temperature))
    if p.normalization == "reset":
        policy.moments.load_state_dict(RunningMeanStd(policy.params.inputs).state_dict())
    frozen: list[list[Tensor]] = []
    if p.freeze == "critic":
        frozen = critic
    elif p.freeze != "nothing":
        count = policy.params.layers if p.freeze == "all_but_last_layer" else p.frozen_layers
        core = list(policy.core.parameters()) if policy.is_recurrent else []  # it lies before the first layers
        frozen = [core, *actor[:count], *([] if fresh_critic else critic[:count])]
    for layer in frozen:
        for parameter in layer:
            parameter.requires_grad_(False)


def _layers(network: nn.Module) -> list[list[Tensor]]:
    """Return weights and biases of each layer of one network, or of several side by side."""
    parameters = dict(network.named_parameters())
    if "weights.0" in parameters:
        count = len(parameters) // 2
        return [[parameters[f"weights.{i}"], parameters[f"biases.{i}"]] for i in range(count)]
    names = [name.removesuffix(".weight") for name in parameters if name.endswith(".weight")]
    return [[parameters[f"{name}.weight"], parameters[f"{name}.bias"]] for name in names]


def _copy(old: list[Tensor], new: list[Tensor]) -> None:
    with torch.no_grad():
        for mine, given in zip(old, new, strict=True):
            mine.copy_(given)
