"""What became of a training's episodes, and what was drawn for each: gathered while a world steps, taken from time to
time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from studio.sim.rollout import Outcome

Array = np.ndarray


class EpisodeRecorder:
    """Held by a world that steps with autoreset. An episode that was not seen from its first step is left out.

    Args:
        keys: of the randomization terms, and of the context's components.
    """

    def __init__(self, num_envs: int, keys: tuple[str, ...]) -> None:
        self._keys = keys
        self._returns, self._lengths = np.zeros(num_envs), np.zeros(num_envs, int)
        self._parts: list[Outcome] = []

    def begin(self, ids: Array) -> None:
        """New episodes have begun in simulations ``ids``."""
        self._returns[ids], self._lengths[ids] = 0, 0

    def note(self, rewards: Array) -> None:
        """A step of all simulations, (num_envs,)."""
        self._returns += rewards
        self._lengths += 1

    def ended(
        self, ids: Array, seeds: Array, steps: Array, successes: Array | None, values: Mapping[str, Array]
    ) -> None:
        """Episodes have ended in simulations ``ids``; all arrays are of all simulations."""
        ids = ids[self._lengths[ids] == steps[ids]]
        if not len(ids):
            return
        won = np.zeros(len(ids), bool) if successes is None else successes[ids].copy()
        drawn = {key: values[key][ids].copy() for key in self._keys}
        self._parts.append(Outcome(seeds[ids].copy(), won, self._returns[ids].copy(), self._lengths[ids].copy(), drawn))

    def take(self) -> Any:
        """The :class:`Outcome` of what ended since the last call; None where nothing did."""
        parts, self._parts = self._parts, []
        return Outcome.joined(parts) if parts else None
