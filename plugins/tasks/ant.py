"""Ant: walk forward on four legs."""

from __future__ import annotations

import numpy as np

from studio.contracts import Ids, Simulation
from studio.sim.tasks.motor_task import ForwardTask, flat

TORSO = 1  # index of the body whose place counts


class Ant(ForwardTask):
    """As Gymnasium's Ant-v5."""

    id = "ant"
    title = "Ant"
    summary = "A four-legged robot walks forward; contact forces are observed and penalized."
    reference = "Gymnasium Ant-v5; Schulman et al. 2016, arXiv:1506.02438"
    gymnasium_id = "Ant-v5"
    embodiment_id = "ant"
    control_hz = 20.0
    noise = 0.1
    normal_velocity = True
    effort_cost = 0.5
    skipped = 2
    healthy_reward = 1.0
    contact_forces = True

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._places = world.bind("xpos")

    def place(self, ids: Ids) -> np.ndarray:
        return self._places[ids][:, TORSO, 0]

    def state(self, ids: Ids) -> np.ndarray:
        return np.concatenate([super().state(ids), np.clip(flat(self.world.contact_forces(ids)), -1, 1)], 1)

    def healthy(self, ids: Ids) -> np.ndarray:
        qpos = self.qpos[ids]
        finite = np.isfinite(qpos).all(1) & np.isfinite(self.qvel[ids]).all(1)
        return np.asarray(finite & (qpos[:, 2] >= 0.2) & (qpos[:, 2] <= 1.0))

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        touching = np.square(np.clip(flat(world.contact_forces(ids), 0), -1, 1)).sum(1)
        return np.asarray(super().reward(world, ids) - 5e-4 * touching)
