"""Pusher: an arm pushes a cylinder to a goal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import Ids, Simulation
from studio.sim.tasks.motor_task import MotorTask
from studio.sim.tasks.rejection import draws

if TYPE_CHECKING:
    from studio.rng import EpisodeRng


class Pusher(MotorTask):
    """As Gymnasium's Pusher-v5."""

    id = "pusher"
    title = "Pusher"
    summary = "A seven-joint arm pushes a cylinder to a goal."
    reference = "Gymnasium Pusher-v5"
    gymnasium_id = "Pusher-v5"
    embodiment_id = "pusher"
    horizon = 100
    control_hz = 20.0

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._places = world.bind("xpos")
        self._tip, self._object, self._goal = (world.model.body(n).id for n in ("tips_arm", "object", "goal"))

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        self.qpos[ids] = self.rest
        for i, generator in zip(ids, rng.generators(), strict=True):
            place, count = np.zeros(2), draws("the cylinder")
            while np.linalg.norm(place) <= 0.17:
                next(count)
                place = generator.uniform((-0.3, -0.2), (0.0, 0.2))
            self.qpos[i, -4:-2] = place
        self.qpos[ids, -2:] = 0
        self.qvel[ids] = rng.uniform(-5e-3, 5e-3, (world.model.nv,))
        self.qvel[ids, -4:] = 0

    def state(self, ids: Ids) -> np.ndarray:
        places = self._places[ids]
        parts = [self.qpos[ids][:, :7], self.qvel[ids][:, :7]]
        return np.concatenate([*parts, places[:, self._tip], places[:, self._object], places[:, self._goal]], 1)

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        places = self._places[ids]
        near = np.linalg.norm(places[:, self._object] - places[:, self._tip], axis=1)
        away = np.linalg.norm(places[:, self._object] - places[:, self._goal], axis=1)
        return np.asarray(-0.5 * near - away - 0.1 * self.effort(world, ids))
