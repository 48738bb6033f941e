"""Hopper: hop forward without falling."""

from __future__ import annotations

import numpy as np

from studio.contracts import Ids
from studio.sim.tasks.motor_task import ForwardTask


class Hopper(ForwardTask):
    """As Gymnasium's Hopper-v5."""

    id = "hopper"
    title = "Hopper"
    summary = "A one-legged planar robot hops forward without falling."
    reference = "Gymnasium Hopper-v5; Erez, Tassa and Todorov 2011"
    gymnasium_id = "Hopper-v5"
    embodiment_id = "hopper"
    control_hz = 125.0
    noise = 5e-3
    effort_cost = 1e-3
    speed_limit = 10.0
    healthy_reward = 1.0

    def healthy(self, ids: Ids) -> np.ndarray:
        qpos, qvel = self.qpos[ids], self.qvel[ids]
        bounded = (np.abs(qpos[:, 2:]) < 100).all(1) & (np.abs(qvel) < 100).all(1)
        return np.asarray(bounded & (qpos[:, 1] > 0.7) & (np.abs(qpos[:, 2]) < 0.2))
