"""InvertedPendulum: balance a pole on a cart."""

from __future__ import annotations

import numpy as np

from studio.contracts import Ids, Simulation
from studio.sim.tasks.motor_task import MotorTask


class InvertedPendulum(MotorTask):
    """As Gymnasium's InvertedPendulum-v5."""

    id = "inverted_pendulum"
    title = "InvertedPendulum"
    summary = "A cart balances a pole."
    reference = "Gymnasium InvertedPendulum-v5; Barto, Sutton and Anderson 1983"
    gymnasium_id = "InvertedPendulum-v5"
    embodiment_id = "inverted_pendulum"
    control_hz = 25.0

    def state(self, ids: Ids) -> np.ndarray:
        return np.concatenate([self.qpos[ids], self.qvel[ids]], 1)

    def terminated(self, world: Simulation, ids: Ids) -> np.ndarray:
        state = self.state(ids)
        return ~np.isfinite(state).all(1) | (np.abs(state[:, 1]) > 0.2)

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return (~self.terminated(world, ids)).astype(float)
