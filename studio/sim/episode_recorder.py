"""What became of a training's episodes, and what was drawn for each: gathered while a world steps, taken from time to
time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from studio.contracts import Ids
from studio.sim.observers import Observer
from studio.sim.rollout import Outcome

if TYPE_CHECKING:
    from studio.sim.simulation import BatchSimulation

Array = np.ndarray


class EpisodeRecorder(Observer):
    """Records whole episodes: one that was not seen from its first step is left out.

    Args:
        keys: of the randomization terms, and of the context's components.
    """

    def __init__(self, num_envs: int, keys: tuple[str, ...]) -> None:
        self._keys = keys
        self._returns, self._lengths = np.zeros(num_envs), np.zeros(num_envs, int)
        self._parts: list[Outcome] = []

    def on_reset(self, world: BatchSimulation, ids: Array) -> None:
        self._returns[ids], self._lengths[ids] = 0, 0

    def on_step(self, world: BatchSimulation, ids: Ids, rewards: Array) -> None:
        self._returns[ids] += rewards
        self._lengths[ids] += 1

    def on_episode_end(self, world: BatchSimulation, ids: Array, successes: Array | None) -> None:
        whole = self._lengths[ids] == world.steps[ids]
        if not whole.any():
            return
        ids, drawn = ids[whole], world.drawn
        won = np.zeros(len(ids), bool) if successes is None else successes[whole]
        values = {key: drawn[key][ids].copy() for key in self._keys}
        outcome = Outcome(world.seeds[ids].copy(), won, self._returns[ids].copy(), self._lengths[ids].copy(), values)
        self._parts.append(outcome)

    def take(self) -> Any:
        """The :class:`Outcome` of what ended since the last call; None where nothing did."""
        parts, self._parts = self._parts, []
        return Outcome.joined(parts) if parts else None
