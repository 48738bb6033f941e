"""Walker2d: walk forward without falling."""

from __future__ import annotations

import numpy as np

from studio.contracts import Ids
from studio.sim.tasks.motor_task import ForwardTask


class Walker2d(ForwardTask):
    """As Gymnasium's Walker2d-v5."""

    id = "walker2d"
    title = "Walker2d"
    summary = "A two-legged planar robot walks forward without falling."
    reference = "Gymnasium Walker2d-v5; Erez, Tassa and Todorov 2011"
    gymnasium_id = "Walker2d-v5"
    embodiment_id = "walker2d"
    control_hz = 125.0
    noise = 5e-3
    effort_cost = 1e-3
    speed_limit = 10.0
    healthy_reward = 1.0

    def healthy(self, ids: Ids) -> np.ndarray:
        height, angle = self.qpos[ids][:, 1], self.qpos[ids][:, 2]
        return np.asarray((height > 0.8) & (height < 2.0) & (np.abs(angle) < 1.0))
