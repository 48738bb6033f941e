"""Point navigation: a point in the plane goes to a goal that it does not observe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from studio.contracts import Ids, ReferenceLine, Simulation, task_name
from studio.sim.tasks.motor_task import MotorTask

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment
    from studio.rng import EpisodeRng

EXTENT = 1.0  # m
STEP = 0.1  # m a point moves in one step at most, along each axis
NEAR = 0.02  # m from a goal that counts as there, for learners that set themselves goals; the task never ends there


class PointNavigation(MotorTask):
    """The point moves by its action, clipped to ±0.1 m; reward is the negative distance to the goal.

    Goals are uniform in [−0.5, 0.5]². Standing still for 100 steps has a mean return of −38.26; going straight to the
    goal, −0.506 (both exact).
    """

    id = "point_navigation"
    title = "Point navigation"
    summary = "A point moves in the plane to a goal that only the reward reveals."
    reference = "Finn, Abbeel and Levine 2017, arXiv:1703.03400, section 5.3"
    gymnasium_id = "PointNavigation-v0"
    embodiment_id = "point"
    horizon = 100
    control_hz = 10.0
    observations: ClassVar[tuple[str, ...]] = ("state", "goal", "image")
    goal_width = 2
    goal_in_plane = True
    has_expert = True
    context = ("goal_x", "goal_y")
    ranges = ((-0.5, 0.5), (-0.5, 0.5))

    def reference_lines(self, context: Sequence[float]) -> Sequence[ReferenceLine]:
        return (
            ReferenceLine("standing still", (-self.horizon * math.hypot(*context),)),
            ReferenceLine("MAML", (-40.0, -12.0, -3.3, -3.2), "arXiv:1703.03400, its curve", of_family=True),
        )

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        spec.stat.extent, spec.stat.center = EXTENT, [0, 0, 0]  # what is looked at: all goals, not the point alone
        spec.visual.global_.elevation = -50
        goal = spec.worldbody.add_body(name=task_name("goal"), mocap=True)
        size, color = [0.03, 0, 0], [0.86, 0.12, 0.12, 1]
        goal.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=size, rgba=color, contype=0, conaffinity=0)

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._goals = world.mocap()

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        self.qpos[ids], self.qvel[ids] = 0, 0
        self._goals[ids, 0, :2] = world.contexts[ids]
        self._goals[ids, 0, 2] = 0

    def before(self, world: Simulation, ids: Ids) -> None:
        self.qpos[ids] += np.clip(world.actions[ids], -STEP, STEP)

    def state(self, ids: Ids) -> np.ndarray:
        return self.qpos[ids].copy()

    def goal(self, world: Simulation, ids: Ids) -> np.ndarray:
        return self._goals[ids][:, 0, :2].copy()

    def achieved(self, observation: Mapping[str, Any]) -> Any:
        return observation["state"]

    def goal_reached(self, achieved: Any, goal: Any) -> Any:
        return ((achieved - goal) ** 2).sum(-1) < NEAR**2

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return -np.linalg.norm(self.goal(world, ids) - self.qpos[ids], axis=1)

    def expert(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.clip(self.goal(world, ids) - self.qpos[ids], -STEP, STEP)
