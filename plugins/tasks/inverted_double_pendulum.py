"""InvertedDoublePendulum: balance two poles on a cart."""

from __future__ import annotations

import numpy as np

from studio.contracts import Ids, Simulation
from studio.sim.tasks.motor_task import MotorTask


class InvertedDoublePendulum(MotorTask):
    """As Gymnasium's InvertedDoublePendulum-v5."""

    id = "inverted_double_pendulum"
    title = "InvertedDoublePendulum"
    summary = "A cart balances two poles, one on top of the other."
    reference = "Gymnasium InvertedDoublePendulum-v5; Barto, Sutton and Anderson 1983"
    gymnasium_id = "InvertedDoublePendulum-v5"
    embodiment_id = "inverted_double_pendulum"
    control_hz = 20.0
    noise = 0.1
    normal_velocity = True

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._tips, self._held = world.bind("site_xpos"), world.bind("qfrc_constraint")

    def state(self, ids: Ids) -> np.ndarray:
        qpos = self.qpos[ids]
        parts = [qpos[:, :1], np.sin(qpos[:, 1:]), np.cos(qpos[:, 1:])]
        parts += [np.clip(self.qvel[ids], -10, 10), np.clip(self._held[ids], -10, 10)[:, :1]]
        return np.concatenate(parts, 1)

    def terminated(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.asarray(self._tips[ids][:, 0, 2] <= 1)

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        tips, qvel = self._tips[ids], self.qvel[ids]
        away = 0.01 * tips[:, 0, 0] ** 2 + (tips[:, 0, 2] - 2) ** 2
        fast = 1e-3 * qvel[:, 1] ** 2 + 5e-3 * qvel[:, 2] ** 2
        return np.asarray(10.0 * ~self.terminated(world, ids) - away - fast)
