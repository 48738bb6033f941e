"""The observation of the present state, made once however often it is asked for."""

from __future__ import annotations

import numpy as np

from studio.contracts import Observation
from studio.sim.world import World


class CachedObservation:
    """Observes a world's only simulation once for each state: an image is expensive.

    An actor is given this, not the player that owns them both: a player without circular references is freed where and
    when it is dropped, on its own thread, and not by the garbage collector on another.
    """

    def __init__(self, world: World) -> None:
        self._world, self._ids = world, np.zeros(1, int)
        self._observation: Observation | None = None

    def __call__(self) -> Observation:
        """Return the present observation, (1, …)."""
        if self._observation is None:
            self._observation = self._world.observe(self._ids)
        return self._observation

    def forget(self) -> None:
        """Observe again when next asked: the state has changed."""
        self._observation = None
