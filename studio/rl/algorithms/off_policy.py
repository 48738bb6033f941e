"""The loop of all learners that update from stored transitions: play, update as often as is due, report.

:mod:`studio.rl.algorithms.stepwise` updates between the steps of a world, for SAC and DQN; :mod:`studio.meta.pearl`
after whole trials.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor

from studio.contracts import Metrics, Stateful
from studio.experiment import Settings, setting
from studio.rl.collectors.env_runner import EnvRunner
from studio.rl.collectors.episode_statistics import diverged_sentence
from studio.rl.compiling import compile_update
from studio.rl.networks.policy import ReinforcementPolicy

EAGER_UPDATES = 200  # before compiling, so that the first metrics appear at once; a fixed number, for reproducibility
Batch = dict[str, Tensor]


class OffPolicyParams(Settings):
    """Optimization and collection with a replay buffer; the defaults are SAC's."""

    learning_rate: float = setting(3e-4, "Learning rate", "Adam learning rate of all that is trained.", gt=0, le=1)
    simulations: int = setting(8, "Simulations", "Number of parallel simulations.", "simulations", ge=1, le=65_536)
    samples: int = setting(
        1000, "Samples", "Environment steps per iteration, over all simulations.", "steps", ge=1, le=1_000_000
    )
    update_ratio: float = setting(1.0, "Update ratio", "Gradient updates per environment step.", gt=0, le=100)
    batch_size: int = setting(256, "Batch size", "Transitions per update.", "transitions", ge=2, le=1_000_000)
    capacity: int = setting(
        1_000_000, "Capacity", "Capacity of the replay buffer.", "transitions", ge=100, le=100_000_000
    )
    learning_starts: int = setting(
        1000, "Learning starts", "Steps with random actions before the first update.", "steps", ge=0, le=10_000_000
    )
    gamma: float = setting(0.99, "γ", "Discount factor per step.", ge=0, le=1)
    tau: float = setting(0.005, "τ", "Polyak coefficient of the target critics' update.", gt=0, le=1)
    physics_threads: int = setting(
        0, "Physics threads", "Threads for the simulation; 0 uses every core.", "threads", ge=0, le=1024
    )
    update: Literal["compiled", "eager"] = setting(
        "compiled", "Update", "compiled runs faster after a few seconds of compilation, and needs a C++ compiler."
    )


class Update(Stateful, Protocol):
    """One gradient update of a learner, and all tensors that it changes."""

    @property
    def changing(self) -> list[Tensor]:
        """Return every tensor that a step changes."""

    @property
    def step(self) -> Callable[..., Tensor]:
        """Return the function (batch, …) → diagnostics that makes an update."""


class OffPolicyLearner(ABC):
    """Train a policy from transitions that it stores. The policy's parameters change in place.

    Args:
        log: receives sentences for the run's log.
    """

    units: ClassVar[Mapping[str, str]]
    diagnostics: ClassVar[tuple[str, ...]]  # names of what an update returns
    # subclasses declare their own kinds of these
    policy: ReinforcementPolicy
    settings: OffPolicyParams
    update: Update
    env_runner: EnvRunner

    def __init__(
        self,
        policy: ReinforcementPolicy,
        settings: OffPolicyParams,
        iterations: int,
        seed: int,
        log: Callable[[str], None],
    ) -> None:
        self.policy, self.settings, self.iterations, self.log = policy, settings, iterations, log
        self.iteration, self.updates = 0, 0
        self.device = policy.device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self._due = 0.0  # updates that ``update_ratio`` requires and that were not made yet
        self._compiled: Callable[..., Tensor] | None = None

    @property
    @abstractmethod
    def samples(self) -> int:
        """Return the environment steps so far, over all simulations."""

    @abstractmethod
    def play_and_update(self) -> list[Tensor]:
        """Make the steps of an iteration and the updates that become due; return the diagnostics of each update."""

    @property
    def can_compile(self) -> bool:
        """Return whether the update may be compiled, if the settings ask for it."""
        return True

    def progress_values(self) -> dict[str, float]:
        """Return what an iteration's metrics hold beside the shared ones."""
        return {}

    def iterate(self) -> Iterator[Metrics]:
        """Play, update, and yield the metrics of each iteration until the budget is spent."""
        world = self.env_runner.world
        while self.iteration < self.iterations:
            started, before, diverged = time.perf_counter(), self.samples, world.diverged
            diagnostics = self.play_and_update()
            self.iteration += 1
            if world.diverged > diverged:
                self.log(diverged_sentence(world.diverged - diverged))
            values = self.env_runner.metrics() | {"samples": float(self.samples), "updates": float(self.updates)}
            values |= self.progress_values()
            if diagnostics:
                values |= dict(zip(self.diagnostics, torch.stack(diagnostics).mean(0).tolist(), strict=True))
            values["steps_per_second"] = (self.samples - before) / (time.perf_counter() - started)
            yield Metrics(self.iteration, self.iterations, values)

    def due_updates(self, steps: int) -> int:
        """Return how many updates to make after so many more environment steps."""
        self._due += self.settings.update_ratio * steps
        count, self._due = int(self._due), self._due % 1
        return count

    def make_update(self, *arguments: Any) -> Tensor:
        """Make an update, eager at first, then compiled if the settings ask for it; return its diagnostics."""
        step = self.update.step
        if self.settings.update == "compiled" and self.can_compile and self.updates >= EAGER_UPDATES:
            if self._compiled is None:
                self._compiled = compile_update(step, arguments, self.update.changing, self.log)
            step = self._compiled
        self.updates += 1
        return step(*arguments)

    def stateful(self) -> Mapping[str, Stateful]:
        """Return, by name, the parts whose state training continues from, beside the policy and the counters."""
        return {"update": self.update, "interaction": self.env_runner}

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training continues from, the policy included."""
        return {
            "iteration": self.iteration,
            "updates": self.updates,
            "owed": self._due,
            "policy": {name: value.clone() for name, value in self.policy.state_dict().items()},
            "generator": self.generator.get_state(),
            **{name: part.state_dict() for name, part in self.stateful().items()},
        }

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Restore what :meth:`state_dict` returned; an earlier version's DQN kept no policy beside its update."""
        self.iteration, self.updates = int(state["iteration"]), int(state["updates"])
        self._due = float(state["owed"])
        if "policy" in state:
            self.policy.load_state_dict(state["policy"])
        self.generator.set_state(state["generator"].cpu())
        for name, part in self.stateful().items():
            part.load_state_dict(state[name])
