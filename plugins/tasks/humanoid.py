"""Humanoid: walk forward on two legs."""

from __future__ import annotations

import numpy as np

from studio.contracts import Ids, Simulation
from studio.sim.tasks.motor_task import ForwardTask, flat


class Humanoid(ForwardTask):
    """As Gymnasium's Humanoid-v5."""

    id = "humanoid"
    title = "Humanoid"
    summary = "A humanoid walks forward without falling."
    reference = "Gymnasium Humanoid-v5; Tassa, Erez and Todorov 2012"
    gymnasium_id = "Humanoid-v5"
    embodiment_id = "humanoid"
    control_hz = 1 / 0.015
    noise = 0.01
    effort_cost = 0.1
    skipped = 2
    healthy_reward = 5.0
    contact_forces = True
    cost_range = (-np.inf, 10.0)

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._seen = [world.bind("cinert"), world.bind("cvel")]
        self._motors = world.bind("qfrc_actuator")
        self._centers = world.bind("xipos")
        self._shares = world.model.body_mass / world.model.body_mass.sum()

    def place(self, ids: Ids) -> np.ndarray:
        # a product of matrices would add in another order for one simulation than for many
        return np.asarray((self._centers[ids][:, :, 0] * self._shares).sum(1))

    def state(self, ids: Ids) -> np.ndarray:
        parts = [super().state(ids), *(flat(field[ids]) for field in self._seen)]
        return np.concatenate([*parts, self._motors[ids][:, 6:], flat(self.world.contact_forces(ids))], 1)

    def healthy(self, ids: Ids) -> np.ndarray:
        height = self.qpos[ids][:, 2]
        return np.asarray((height > 1.0) & (height < 2.0))

    def impact(self, ids: Ids) -> np.ndarray:
        """What the contact forces cost, (n,)."""
        return np.asarray(np.clip(5e-7 * np.square(flat(self.world.contact_forces(ids), 0)).sum(1), *self.cost_range))

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        cost = self.effort_cost * self.effort(world, ids) + self.impact(ids)
        return np.asarray(1.25 * self.speed(ids) + self.healthy_reward * self.healthy(ids) - cost)
