"""A point mass goes to a goal: in the open, and with a wall between."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from studio.contracts import Ids, Simulation, task_name
from studio.sim.tasks.motor_task import MotorTask

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment
    from studio.rng import EpisodeRng

NEAR = 0.15  # m from the goal is there
COSTS = np.array([0.05, 0.05, 0.5, 0.5])  # of the squared commands: a spare motor is used only where the other fails


class PointMassTask(MotorTask):
    """What the tasks of the point mass share."""

    embodiment_id = "point_mass"
    horizon = 100
    control_hz = 10.0
    reference = "Transfer Studio; after Eysenbach et al. 2021, arXiv:2006.13916"

    def effort(self, world: Simulation, ids: Ids) -> np.ndarray:
        """What the commands cost, (n,), whether they do anything or not."""
        return np.asarray((np.square(world.actions[ids]) * COSTS).sum(1))


class PointOpen(PointMassTask):
    """Starts at the left, its goal lies at the right. Reward: −distance, less the effort; there, the episode ends."""

    id = "point_open"
    title = "Point mass to a goal"
    summary = "A point mass moves to a goal on the other side."
    gymnasium_id = "PointOpen-v0"
    observations = ("state", "goal", "image")
    goal_width = 2
    goal_in_plane = True
    has_success = True
    has_expert = True
    wall: ClassVar[bool] = False

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        goal = spec.worldbody.add_body(name=task_name("goal"), mocap=True)
        color = [0.86, 0.12, 0.12, 1]
        flat = {"type": mujoco.mjtGeom.mjGEOM_CYLINDER, "size": [NEAR, 0.004, 0], "rgba": color}
        goal.add_geom(**flat, contype=0, conaffinity=0)
        if self.wall:
            place = {"pos": [0, 0, 0.1], "size": [0.04, 0.6, 0.1], "rgba": [0.35, 0.37, 0.42, 1]}
            spec.worldbody.add_geom(name=task_name("wall"), type=mujoco.mjtGeom.mjGEOM_BOX, condim=1, **place)

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._goals = world.mocap()

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        self.qpos[ids], self.qvel[ids] = 0, 0
        self.qpos[ids, :2] = [-1, 0] + rng.uniform(-1, 1, (2,)) * [0.1, 0.3]
        self._goals[ids, 0] = [1, 0, 0]

    def state(self, ids: Ids) -> np.ndarray:
        return np.concatenate([self.qpos[ids][:, :2], self.qvel[ids][:, :2]], 1)

    def goal(self, world: Simulation, ids: Ids) -> np.ndarray:
        return self._goals[ids][:, 0, :2].copy()

    def success(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.asarray(np.linalg.norm(self._goals[ids][:, 0, :2] - self.qpos[ids][:, :2], axis=1) < NEAR)

    def terminated(self, world: Simulation, ids: Ids) -> np.ndarray:
        return self.success(world, ids)

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        away = np.linalg.norm(self._goals[ids][:, 0, :2] - self.qpos[ids][:, :2], axis=1)
        return np.asarray(-away - self.effort(world, ids))

    def expert(self, world: Simulation, ids: Ids) -> np.ndarray:
        """Straight to the goal; with a wall between, by the end of it that is nearer."""
        here, target = self.qpos[ids][:, :2], self.goal(world, ids)
        if self.wall:
            side = np.where(here[:, 1] < 0, -1.0, 1.0)
            behind = (here[:, 0] < 0.1) & (target[:, 0] > 0)
            corner = np.stack([np.where(np.abs(here[:, 1]) < 0.7, -0.15, 0.2), side * 0.8], 1)
            target = np.where(behind[:, None], corner, target)
        wanted = np.clip(4 * (target - here), -1, 1)
        return np.concatenate([wanted, np.zeros_like(wanted)], 1)


class PointWall(PointOpen):
    """The same with a wall between start and goal, which stands free at both ends."""

    id = "point_wall"
    title = "Point mass around a wall"
    summary = "A point mass moves to a goal on the other side of a wall."
    gymnasium_id = "PointWall-v0"
    wall = True
