"""Ant, running: on ground without an end, and on a disc from whose edge it falls."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plugins.tasks.ant import TORSO, Ant
from studio.contracts import Ids, Simulation

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment


class AntPlane(Ant):
    """As Ant, but for the speed in whatever direction, |v|; it sees where it is."""

    id = "ant_plane"
    title = "Ant on unbounded ground"
    summary = "Runs in any direction on unbounded ground."
    reference = "Transfer Studio; after Eysenbach et al. 2021, arXiv:2006.13916"
    gymnasium_id = "AntPlane-v0"
    skipped = 0
    state_arrays = (*Ant.state_arrays, "before_step")
    radius: ClassVar[float] = 0.0  # of the disc, m; 0: there is no edge

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        from studio.sim.tasks.ground import lay

        lay(spec, self.radius)
        spec.stat.extent, spec.stat.center = 5.0, [0, 0, 0]  # what is looked at: the disc, not the ground's far corners

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self.before_step = np.zeros((world.num_envs, 2))

    def before(self, world: Simulation, ids: Ids) -> None:
        self.before_step[ids] = self._places[ids][:, TORSO, :2]

    def speed(self, ids: Ids) -> np.ndarray:
        moved = self._places[ids][:, TORSO, :2] - self.before_step[ids]
        return np.asarray(np.linalg.norm(moved, axis=1) / self.step_seconds)


class AntDisc(AntPlane):
    """The same on a disc of 4 m radius: who runs on falls from it, and the episode ends."""

    id = "ant_disc"
    title = "Ant on a disc"
    summary = "Runs in any direction on a disc, and falls off its edge."
    gymnasium_id = "AntDisc-v0"
    radius = 4.0
