"""Reach a place on the table that only a demonstration, or the reward, reveals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plugins.tasks.reach import COLORS, TABLE, Reach, X, Y
from studio.contracts import Embodiment, Ids, Observation, Problem, Simulation, task_name

if TYPE_CHECKING:
    import mujoco

    from studio.rng import EpisodeRng

MARGIN = 0.05  # m beyond the range, on one side, where goals outside of the family are: still within an arm's reach


class ReachGoals(Reach):
    """A family of tasks: ω is where the ball lies, the same in each episode of a task. A policy that observes the state
    sees its end effectors alone; one demonstration shows where they have to go, and so does the reward, minus the
    distance."""

    id = "reach_goals"
    title = "Reach, goals"
    summary = "Touch a ball whose place only demonstrations or rewards reveal: a family over places."
    reference = "Finn et al. 2017, arXiv:1709.04905, section 5.1 (reaching, without distractors)"
    version = 1
    gymnasium_id = "ReachGoals-{embodiment}-v0"
    observations = ("state", "goal")
    goal_in_plane = True
    context = ("goal_x", "goal_y")  # m
    ranges = (X, Y)

    def check(self, embodiment: Embodiment) -> list[Problem]:
        if embodiment.kind != "base":
            return super().check(embodiment)
        return [Problem("embodiment", f"'{self.title}' is on a table, and '{embodiment.id}' drives.", "Choose an arm.")]

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        ball = spec.worldbody.add_body(name=task_name("goal"), mocap=True, pos=[0.4, 0, TABLE.radius])
        size, color = [TABLE.radius, 0, 0], COLORS["goal"]
        ball.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=size, rgba=color, contype=0, conaffinity=0)

    def outside(self, rng: EpisodeRng) -> np.ndarray:
        low, high = np.array(self.ranges, float).T
        goals, beyond = rng.uniform(low, high, (2,)), rng.uniform(-MARGIN, MARGIN)
        axis, every = (rng.uniform() < 0.5).astype(int), np.arange(len(rng))
        goals[every, axis] = np.where(beyond < 0, low[axis], high[axis]) + beyond
        return goals

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        balls = world.mocap()
        balls[ids, 0, :2] = world.contexts[ids]
        balls[ids, 0, 2] = TABLE.radius

    def observe(self, world: Simulation, ids: Ids) -> Observation:
        """Return ``state``: the places of the end effectors, (n, 3·limbs), m."""
        hands = world.end_effectors(ids)
        return {"state": hands.reshape(len(hands), -1).astype(np.float32)}
