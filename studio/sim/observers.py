"""Who looks on while a world's simulations step: records episodes, shows them, widens ranges, holds trials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import Ids, Observation

if TYPE_CHECKING:
    from studio.sim.simulation import BatchSimulation

Array = np.ndarray


class Observer:
    """Looks on at a world that has it among its ``observers``; what it does changes no trajectory. Subclasses override
    what they need. Simulations are named by ``ids``, an array of indices or a slice of all."""

    def on_reset(self, world: BatchSimulation, ids: Array) -> None:
        """New episodes have been set up in these simulations."""

    def on_step(self, world: BatchSimulation, ids: Ids, rewards: Array) -> None:
        """These simulations made one control step, for these rewards, (n,)."""

    def on_episode_end(self, world: BatchSimulation, ids: Array, successes: Array | None) -> None:
        """The episodes of these simulations have ended with this step; the world still holds their state, seeds and
        number of steps. ``successes`` (n,) bool; None where the task has no success."""


class TrialObserver(Observer, ABC):
    """An observer that decides which episodes are of one task, and adds to what a policy observes.

    A world has at most one; see :meth:`studio.sim.world.World.hold_trials`.
    """

    k: int  # episodes of a trial

    @property
    @abstractmethod
    def episode(self) -> Array:
        """Return the index of each simulation's episode within its trial, (num_envs,), from 0."""

    @abstractmethod
    def restart(self) -> None:
        """All simulations are about to be reset together: nothing of the episodes before goes on."""

    @abstractmethod
    def context_seeds(self, ids: Array, seeds: Array) -> Array:
        """Return the seeds, (n,), that contexts and randomized values of new episodes are drawn from; ``seeds`` (n,)
        are the episodes' own. Called once for each reset."""

    @abstractmethod
    def observe(self, ids: Ids) -> Observation:
        """Return what is added to the observation, entries of (n, width)."""
