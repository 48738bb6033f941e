"""A point mass runs along an axis, whichever: what a broken motor takes from one axis, the other still has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plugins.tasks.point_wall import PointMassTask
from studio.contracts import Ids, Simulation

if TYPE_CHECKING:
    from studio.rng import EpisodeRng

SHARE = 0.8  # weight of the speed along y in the reward


class PointAxes(PointMassTask):
    """Reward: max(|v_x|, 0.8 |v_y|), less the effort. Who has learned it runs along x; with the motor ``x`` broken that
    earns nothing, and running along y earns 0.8 of it."""

    id = "point_axes"
    title = "Point mass along an axis"
    summary = "A point mass runs along either axis, whichever is faster."
    gymnasium_id = "PointAxes-v0"

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        self.qpos[ids], self.qvel[ids] = 0, 0
        self.qpos[ids, :2] = rng.uniform(-0.3, 0.3, (2,))

    def state(self, ids: Ids) -> np.ndarray:
        return np.concatenate([self.qpos[ids][:, :2], self.qvel[ids][:, :2]], 1)

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        x, y = np.abs(self.qvel[ids][:, :2]).T
        return np.asarray(np.maximum(x, SHARE * y) - self.effort(world, ids))
