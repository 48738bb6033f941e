"""A training's own simulations, tapped for the viewport: clips of one of them at a time, recorded while it trains.

A training steps its simulations far faster than an eye can follow. So the viewport gets some consecutive control
steps, plays them at its own pace, and then takes the next ones: what it shows is the training itself. While nobody
watches, a step of the training costs one look at a variable.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from studio.contracts import Ids, Task
from studio.experiment import Domain
from studio.sim.observers import Observer

Array = np.ndarray
CLIP_SECONDS = 1.0  # of simulated time
LEASE_SECONDS = 2.0  # after which a viewport that did not ask again counts as closed


@dataclass(frozen=True)
class Clip:
    """Consecutive control steps of one simulation; the poses are those that the steps led to."""

    simulation: int
    domain: Domain
    control_hz: float
    qpos: Array  # (steps, nq)
    mocap_pos: Array  # (steps, mocap bodies, 3), m
    steps: Array  # (steps,): of the episode
    rewards: Array  # (steps,)


class TappedWorld(Protocol):
    """What a tap reads of a training's world, after a control step."""

    domain: Domain
    task: Task
    num_envs: int
    observers: list[Observer]
    self_generated: Callable[[int], Array] | None  # simulation → the goal (g,) that its learner set itself

    @property
    def steps(self) -> Array:
        """Steps of each simulation's episode, (num_envs,)."""

    @property
    def marks(self) -> slice:
        """Where among the mocap bodies the task's own are."""

    def env_indices(self, ids: Ids) -> Array:
        """Return indices for an array of them or a slice."""

    def state(self, sim: int) -> tuple[Array, Array]:
        """Return positions (nq,) and places of the mocap bodies, (bodies, 3) m."""


@dataclass(frozen=True)
class _Entered:
    world: weakref.ref[TappedWorld]
    first: int  # the number of its first simulation among those of all worlds
    domain: Domain


class TrainingTap(Observer):
    """Connects a training, which calls :meth:`enter` and :meth:`on_step`, with one viewport on another thread.

    Simulations are numbered through all the worlds that the training made. Neither side waits for the other: the
    training alone fills a clip, the viewport alone takes it away.
    """

    def __init__(self) -> None:
        self._worlds: list[_Entered] = []
        self.wanted: int | None = None  # the simulation whose clips are asked for; written by the viewport alone
        self._asked = 0.0  # when it last did
        self._clip: Clip | None = None  # written by the training, taken by the viewport
        self._steps: list[tuple[Array, Array, int, float]] = []  # of the next clip; the training's alone
        self._steps_of = -1  # the simulation whose steps those are

    # -- the training ------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Forget all worlds: another training begins."""
        self._worlds, self._steps, self._clip = [], [], None

    def enter(self, world: TappedWorld) -> None:
        """Tap a world that the training will step."""
        self._worlds = [*self._worlds, _Entered(weakref.ref(world), self.simulations, world.domain)]
        world.observers.append(self)

    def on_step(self, world: TappedWorld, ids: Ids, rewards: Array) -> None:
        """Take a step of a world's simulations ``ids``, with its rewards, (ids,)."""
        if self.wanted is not None:
            self._record(world, world.env_indices(ids), rewards)

    def _record(self, world: TappedWorld, ids: Array, rewards: Array) -> None:
        wanted = self.wanted
        if not self._steps and time.monotonic() - self._asked > LEASE_SECONDS:
            self.wanted = self._clip = None
            return
        if wanted is None or self._clip is not None:
            return
        entered = next((entry for entry in self._worlds if entry.world() is world), None)
        if entered is None or (sim := wanted - entered.first) not in ids:
            return  # another world's, or its episode is over and only others go on
        if wanted != self._steps_of:
            self._steps_of, self._steps = wanted, []
        qpos, places = world.state(sim)
        if world.self_generated is not None and len(places[world.marks]):
            world.task.mark(places[world.marks], world.self_generated(sim))
        self._steps.append((qpos, places, int(world.steps[sim]), float(rewards[ids == sim][0])))
        if len(self._steps) >= max(2, round(CLIP_SECONDS * world.task.control_hz)):
            qpos, places, steps, reward = (np.array(column) for column in zip(*self._steps, strict=True))
            self._steps = []
            self._clip = Clip(wanted, entered.domain, world.task.control_hz, qpos, places, steps, reward)

    # -- the viewport ------------------------------------------------------------------------------------------------

    @property
    def simulations(self) -> int:
        """How many simulations there are to choose from."""
        return sum(world.num_envs for entry in self._worlds if (world := entry.world()) is not None)

    def domain(self, simulation: int) -> Domain | None:
        """Return the domain of a simulation; None: there is no such simulation now."""
        for entry in reversed(self._worlds):
            if entry.world() is not None and entry.first <= simulation:
                return entry.domain
        return None

    def look(self, simulation: int) -> None:
        """Ask for clips of this one; to be repeated within ``LEASE_SECONDS``."""
        self.wanted, self._asked = simulation, time.monotonic()

    def leave(self) -> None:
        """Ask for nothing more."""
        self.wanted = None

    def take(self) -> Clip | None:
        """Return the newest clip of the wanted simulation, once; the training then records the next."""
        clip, self._clip = self._clip, None
        return clip if clip is not None and clip.simulation == self.wanted else None
