"""Which algorithm trains a policy: the one that the policy's own ``algorithm`` names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from studio.contracts import Metrics, Problem
from studio.experiment import Settings
from studio.nn.policy import BasePolicy
from studio.rl.algorithms.dqn import DQN, DQNParams
from studio.rl.algorithms.pixel_ppo import PixelPPO, PixelPPOParams
from studio.rl.algorithms.ppo import PPO, PPOParams
from studio.rl.algorithms.recurrent_ppo import RecurrentPPO
from studio.rl.algorithms.sac import SAC, SACParams
from studio.rl.compiling import compiler


class Learner(Protocol):
    """Trains a policy in a world, one iteration after the other; its state is complete, worlds and buffers included."""

    @property
    def units(self) -> Mapping[str, str]: ...

    def iterate(self) -> Iterator[Metrics]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Algorithm:
    """``make(policy, world, settings, iterations=…, seed=…, say=…)`` gives the learner."""

    Params: type[Settings]  # with ``simulations`` and ``physics_threads``
    make: Callable[..., Learner]
    check: Callable[[Any, str, int], list[Problem]]  # (settings, the dotted name of where they stand, iterations)


def check_compiler(settings: Any, field: str) -> list[Problem]:
    """Whether an update that is to be compiled can be."""
    if settings.update != "compiled" or compiler():
        return []
    message = "There is no C++ compiler to compile the update with."
    return [Problem(f"{field}.update", message, "Install one (g++), or choose eager, which is about half as fast.")]


def check_minibatch(settings: PPOParams, field: str, iterations: int = 0) -> list[Problem]:
    """Whether an iteration of PPO fills a minibatch."""
    samples = settings.simulations * settings.steps
    if samples >= settings.minibatch:
        return []
    message = f"An iteration has {samples} samples, fewer than a minibatch."
    return [Problem(f"{field}.minibatch", message, "Choose a smaller minibatch, or collect more samples.")]


def check_ppo(settings: PPOParams, field: str, iterations: int = 0) -> list[Problem]:
    """What PPO cannot do."""
    return [*check_compiler(settings, field), *check_minibatch(settings, field)]


def check_off_policy(settings: SACParams | DQNParams, field: str, iterations: int) -> list[Problem]:
    """What a learner with a replay cannot do: it acts at random until there is enough to learn from."""
    problems, steps = check_compiler(settings, field), iterations * settings.samples
    if steps <= settings.learning_starts:
        message = (
            f"Learning starts after {settings.learning_starts} steps, and the training has {steps}: so it never starts."
        )
        problems.append(Problem(f"{field}.learning_starts", message, "Start learning earlier, or train longer."))
    return problems


ALGORITHMS = {
    "ppo": Algorithm(PPOParams, PPO, check_ppo),
    "recurrent_ppo": Algorithm(PPOParams, RecurrentPPO, check_minibatch),  # always eager
    "pixel_ppo": Algorithm(PixelPPOParams, PixelPPO, check_ppo),
    "sac": Algorithm(SACParams, SAC, check_off_policy),
    "dqn": Algorithm(DQNParams, DQN, check_off_policy),
}


def algorithm_of(policy: BasePolicy | type[BasePolicy] | None) -> Algorithm | None:
    """Return what trains a policy, or the policies of a class; None where it learns from demonstrations."""
    return ALGORITHMS.get(policy.algorithm) if policy is not None else None
