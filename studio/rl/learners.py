"""The algorithms, by the names that policies give as their ``algorithm``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from studio.contracts import Metrics, Problem
from studio.experiment import Settings
from studio.nn.policy import BasePolicy
from studio.rl.algorithms.dqn import DQN, DQNParams
from studio.rl.algorithms.off_policy import OffPolicyParams
from studio.rl.algorithms.pixel_ppo import PixelPPO, PixelPPOParams
from studio.rl.algorithms.ppo import PPO
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.recurrent_ppo import RecurrentPPO
from studio.rl.algorithms.sac import SAC, SACParams
from studio.rl.compiling import compiler

Log = Callable[[str], None]  # writes a sentence into the run's log


class Learner(Protocol):
    """Trains a policy in a world, iteration by iteration. Its state is complete, with worlds and replay buffers."""

    @property
    def units(self) -> Mapping[str, str]: ...

    def iterate(self) -> Iterator[Metrics]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Algorithm:
    """An algorithm's settings, learner and checks. ``make(policy, world, settings, iterations=…, seed=…, log=…,
    auxiliary=…)`` returns the learner."""

    Params: type[Settings]  # with ``simulations`` and ``physics_threads``
    make: Callable[..., Learner]
    check: Callable[[Any, str, int], list[Problem]]  # (settings, their dotted field, iterations)


class CompilableParams(Protocol):
    """Settings of a learner whose update may be compiled."""

    @property
    def update(self) -> str:
        """Return whether it is ``compiled`` or ``eager``."""


def check_compiler(settings: CompilableParams, field: str) -> list[Problem]:
    """Return the problem that the update is to be compiled and there is no compiler, where that is so."""
    if settings.update != "compiled" or compiler():
        return []
    message = "There is no C++ compiler to compile the update with."
    return [Problem(f"{field}.update", message, "Install one (g++), or choose eager, which is slower.")]


def check_minibatch(settings: PPOParams, field: str, iterations: int = 0) -> list[Problem]:
    """Return the problem that an iteration of PPO has fewer samples than a minibatch, where that is so."""
    samples = settings.simulations * settings.steps
    if samples >= settings.minibatch:
        return []
    message = f"An iteration has {samples} samples, fewer than a minibatch."
    return [Problem(f"{field}.minibatch", message, "Choose a smaller minibatch, or collect more samples.")]


def check_ppo(settings: PPOParams, field: str, iterations: int = 0) -> list[Problem]:
    """Return why PPO cannot train with these settings."""
    return [*check_compiler(settings, field), *check_minibatch(settings, field)]


def check_off_policy(settings: SACParams | DQNParams, field: str, iterations: int) -> list[Problem]:
    """Return why a learner with a replay buffer cannot train with these settings."""
    starts = check_learning_starts(settings, field, iterations * settings.samples)
    return [*check_compiler(settings, field), *starts]


def check_learning_starts(settings: OffPolicyParams, field: str, steps: int) -> list[Problem]:
    """Return the problem that a training of so many steps ends before the first update, where that is so."""
    if steps > settings.learning_starts:
        return []
    message = f"Learning starts after {settings.learning_starts} steps, but the training has only {steps} steps."
    return [Problem(f"{field}.learning_starts", message, "Start learning earlier, or train longer.")]


ALGORITHMS = {
    "ppo": Algorithm(PPOParams, PPO, check_ppo),
    "recurrent_ppo": Algorithm(PPOParams, RecurrentPPO, check_minibatch),  # always eager
    "pixel_ppo": Algorithm(PixelPPOParams, PixelPPO, check_ppo),
    "sac": Algorithm(SACParams, SAC, check_off_policy),
    "dqn": Algorithm(DQNParams, DQN, check_off_policy),
}


def algorithm_of(policy: BasePolicy | type[BasePolicy] | None) -> Algorithm | None:
    """Return what trains a policy, or the policies of a class; None where no algorithm here does."""
    return ALGORITHMS.get(policy.algorithm) if policy is not None else None
