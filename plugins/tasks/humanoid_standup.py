"""HumanoidStandup: stand up from lying."""

from __future__ import annotations

import numpy as np

from plugins.tasks.humanoid import Humanoid
from studio.contracts import Ids, Simulation


class HumanoidStandup(Humanoid):
    """As Gymnasium's HumanoidStandup-v5."""

    id = "humanoid_standup"
    title = "HumanoidStandup"
    summary = "A humanoid stands up from lying on its back."
    reference = "Gymnasium HumanoidStandup-v5; Tassa, Erez and Todorov 2012"
    gymnasium_id = "HumanoidStandup-v5"
    embodiment_id = "humanoid_standup"

    def healthy(self, ids: Ids) -> np.ndarray:
        return np.ones(len(self.qpos[ids]), bool)

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        rise = self.qpos[ids][:, 2] / world.model.opt.timestep
        return np.asarray(rise - self.effort_cost * self.effort(world, ids) - self.impact(ids) + 1)
