"""A point mass runs: on ground without an end, and on a disc from whose edge it falls."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plugins.tasks.point_wall import PointMassTask
from studio.contracts import Ids, Simulation

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment
    from studio.rng import EpisodeRng

FALLEN = -0.5  # m


class PointPlane(PointMassTask):
    """Reward: the speed in whatever direction, less the effort."""

    id = "point_plane"
    title = "Point mass on unbounded ground"
    summary = "A point mass runs in any direction on unbounded ground."
    gymnasium_id = "PointPlane-v0"
    radius: ClassVar[float] = 0.0  # of the disc, m; 0: there is no edge

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        from studio.sim.tasks.ground import lay

        lay(spec, self.radius)

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        self.qpos[ids], self.qvel[ids] = 0, 0
        self.qpos[ids, :2] = rng.uniform(-0.3, 0.3, (2,))

    def state(self, ids: Ids) -> np.ndarray:
        return np.concatenate([self.qpos[ids], self.qvel[ids]], 1)

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        speed = np.linalg.norm(self.qvel[ids][:, :2], axis=1)
        return np.asarray(speed - self.effort(world, ids))

    def terminated(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.asarray(self.qpos[ids][:, 2] < FALLEN)


class PointDisc(PointPlane):
    """The same on a disc of 1.5 m radius: who runs on falls from it, and the episode ends."""

    id = "point_disc"
    title = "Point mass on a disc"
    summary = "A point mass runs in any direction on a disc, and falls off its edge."
    gymnasium_id = "PointDisc-v0"
    radius = 1.5
