"""Returns by the episode's index in its trial, which show how much a policy gains from exploration."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from studio.contracts import Ids
from studio.meta.trials import Trials
from studio.sim.observers import Observer
from studio.sim.simulation import BatchSimulation
from studio.sim.world import World

Array = np.ndarray
LATEST = 32  # episodes behind a mean


class TrialReturns(Observer):
    """Keeps the latest returns of a world's first, second … and last episodes of a trial.

    An episode that was not played from its first step does not count.
    """

    def __init__(self, world: World, trials: Trials) -> None:
        self._trials = trials
        self._returns, self._lengths = np.zeros(world.num_envs), np.zeros(world.num_envs, int)
        self._latest: list[deque[float]] = [deque(maxlen=max(LATEST, world.num_envs)) for _ in range(trials.k)]

    def on_reset(self, world: BatchSimulation, ids: Array) -> None:
        self._returns[ids], self._lengths[ids] = 0, 0

    def on_step(self, world: BatchSimulation, ids: Ids, rewards: Array) -> None:
        self._returns[ids] += rewards
        self._lengths[ids] += 1

    def on_episode_end(self, world: BatchSimulation, ids: Array, successes: Array | None) -> None:
        for i in ids[self._lengths[ids] == world.steps[ids]].tolist():
            if self._trials.episode[i] < self._trials.k:  # not behind a trial's end
                self._latest[self._trials.episode[i]].append(float(self._returns[i]))

    def metrics(self) -> dict[str, float]:
        """Return ``return/episode 1`` and so on: means of the latest returns, where there are any."""
        return by_episode("return", [np.array(returns) for returns in self._latest])

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next metrics depend on."""
        return {
            "returns": self._returns.tolist(),
            "lengths": self._lengths.tolist(),
            "latest": [list(found) for found in self._latest],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._returns[:], self._lengths[:] = state["returns"], state["lengths"]
        for returns, saved in zip(self._latest, state["latest"], strict=True):
            returns.clear()
            returns.extend(float(value) for value in saved)


def by_episode(name: str, returns: Iterable[Array]) -> dict[str, float]:
    """Return the mean of each row, (n,) for each episode of a trial, as ``name/episode 1`` and so on; none for an empty
    row."""
    return {f"{name}/episode {i}": float(np.mean(row)) for i, row in enumerate(returns, 1) if len(row)}
