"""Reacher: a planar arm's fingertip goes to a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import Ids, Simulation
from studio.sim.tasks.motor_task import MotorTask

if TYPE_CHECKING:
    from studio.rng import EpisodeRng


class Reacher(MotorTask):
    """As Gymnasium's Reacher-v5."""

    id = "reacher"
    title = "Reacher"
    summary = "A planar two-joint arm moves its fingertip to a target."
    reference = "Gymnasium Reacher-v5"
    gymnasium_id = "Reacher-v5"
    embodiment_id = "reacher"
    horizon = 50
    control_hz = 50.0
    noise = 0.1

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._places = world.bind("xpos")
        self._tip, self._target = world.model.body("fingertip").id, world.model.body("target").id

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        super().reset(world, ids, rng)
        # uniform in the disc, as Gymnasium's rejection gives it
        radius, angle = 0.2 * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
        self.qpos[ids, -2], self.qpos[ids, -1] = radius * np.cos(angle), radius * np.sin(angle)
        self.qvel[ids] = rng.uniform(-5e-3, 5e-3, (world.model.nv,))
        self.qvel[ids, -2:] = 0

    def offset(self, ids: Ids) -> np.ndarray:
        """From the target to the fingertip, (n, 3), m."""
        places = self._places[ids]
        return np.asarray(places[:, self._tip] - places[:, self._target])

    def state(self, ids: Ids) -> np.ndarray:
        qpos = self.qpos[ids]
        parts = [np.cos(qpos[:, :2]), np.sin(qpos[:, :2]), qpos[:, 2:], self.qvel[ids][:, :2]]
        return np.concatenate([*parts, self.offset(ids)[:, :2]], 1)

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.asarray(-np.linalg.norm(self.offset(ids), axis=1) - self.effort(world, ids))
