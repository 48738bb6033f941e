"""Touch the red ball among balls of other colors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.contracts import Embodiment, Ids, Problem, Simulation, Task, task_name
from studio.sim.tasks.rejection import draws

if TYPE_CHECKING:
    import mujoco

    from studio.rng import EpisodeRng

Array = np.ndarray

COLORS = {
    "goal": (0.86, 0.12, 0.12, 1.0),
    "distractor_green": (0.18, 0.62, 0.24, 1.0),
    "distractor_blue": (0.16, 0.34, 0.80, 1.0),
    "distractor_yellow": (0.88, 0.76, 0.14, 1.0),
    "distractor_orange": (0.90, 0.45, 0.10, 1.0),
    "distractor_purple": (0.55, 0.20, 0.62, 1.0),
}


@dataclass(frozen=True)
class Size:
    """What differs between a table and a floor, m."""

    radius: float  # of a ball
    apart: float  # least distance between two balls
    touch: float  # how near to its center counts as a touch


TABLE = Size(radius=0.035, apart=0.09, touch=0.04)
FLOOR = Size(radius=0.12, apart=0.40, touch=0.14)
X, Y = (0.30, 0.64), (-0.30, 0.30)  # m, where balls lie on a table
RING = (0.85, 1.35)  # m, how far from a driving base's start
MIDDLE = 0.07  # half-width of the strip before a two-armed robot where no ball lies: either arm could claim it


def size_for(embodiment: Embodiment) -> Size:
    """Return the sizes of a floor for a driving base, and of a table for an arm."""
    return FLOOR if embodiment.kind == "base" else TABLE


class Reach(Task):
    """Touch the red ball. An image observation shows it; the goal's coordinates are no part of it."""

    id = "reach"
    title = "Reach"
    summary = "Touch the red ball among balls of other colors."
    reference = "Transfer Studio; after Gymnasium-Robotics' FetchReach (Plappert et al. 2018, arXiv:1802.09464)"
    horizon = 40
    control_hz = 10
    step_size = 0.03
    version = 2
    gymnasium_id = "Reach-{embodiment}-v0"

    def check(self, embodiment: Embodiment) -> list[Problem]:
        if not embodiment.limbs:
            words = f"'{embodiment.id}' has nothing to touch with."
            return [Problem("embodiment", words, "Choose an arm or a driving base, or add a site to its model.")]
        return []

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        size = size_for(embodiment)
        for i, (name, color) in enumerate(COLORS.items()):
            body = spec.worldbody.add_body(name=task_name(name), mocap=True, pos=[0.4, 0.1 * i, size.radius])
            body.add_geom(
                type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[size.radius, 0, 0], rgba=color, contype=0, conaffinity=0
            )

    def prepare(self, world: Simulation) -> None:
        self._touch = size_for(world.embodiment).touch

    def reset(self, world: Simulation, ids: Array, rng: EpisodeRng) -> None:
        mocap = world.mocap()
        for i, generator in zip(ids, rng.generators(), strict=True):
            mocap[i] = self._place(world.embodiment, generator, mocap.shape[1])

    def goal(self, world: Simulation, ids: Ids) -> Array:
        return self.ball(world, ids)

    def ball(self, world: Simulation, ids: Ids) -> Array:
        """Return where the red ball is, (n, 3), m, world frame."""
        return world.mocap()[ids, 0].copy()

    def achieved(self, observation: Mapping[str, Any]) -> Any:
        """Where the end effector is; of two the one that is nearer to the goal."""
        hands = observation["eef_pos"]
        if hands.shape[-1] == 3:
            return hands
        left, right = hands[..., :3], hands[..., 3:]
        goal = observation["goal"]
        nearer = (((left - goal) ** 2).sum(-1) <= ((right - goal) ** 2).sum(-1))[..., None]
        return left * nearer + right * ~nearer

    def goal_reached(self, achieved: Any, goal: Any) -> Any:
        return ((achieved - goal) ** 2).sum(-1) < self._touch**2

    def reward(self, world: Simulation, ids: Ids) -> Array:
        return -self._distance(world, ids).min(1)

    def success(self, world: Simulation, ids: Ids) -> Array:
        return np.asarray(self._distance(world, ids).min(1) < self._touch)

    def expert(self, world: Simulation, ids: Ids) -> Array:
        offset = self.ball(world, ids)[:, None] - world.end_effectors(ids)  # (n, limbs, 3), world frame
        if world.embodiment.kind == "base":
            return self._drive(world, ids, offset[:, 0])
        action = np.clip(offset / self.step_size, -1, 1)
        if action.shape[1] == 2:  # the arm on the ball's side goes, the other waits
            left = self.ball(world, ids)[:, 1] > 0
            action[left, 0] = 0
            action[~left, 1] = 0
        return action

    def _distance(self, world: Simulation, ids: Ids) -> Array:
        return np.linalg.norm(world.mocap()[ids, :1] - world.end_effectors(ids), axis=-1)

    def _drive(self, world: Simulation, ids: Ids, offset: Array) -> Array:
        """Body-frame x, y and a turn towards the ball."""
        yaw = world.yaw(ids)
        cos, sin = np.cos(yaw), np.sin(yaw)
        forward = cos * offset[:, 0] + sin * offset[:, 1]
        leftward = -sin * offset[:, 0] + cos * offset[:, 1]
        move = np.stack([forward, leftward], 1) / (2 * self.step_size)
        turn = np.arctan2(leftward, forward)
        return np.concatenate([np.clip(move, -1, 1), np.clip(turn, -1, 1)[:, None]], 1)[:, None]

    def _place(self, embodiment: Embodiment, rng: np.random.Generator, balls: int) -> Array:
        size = size_for(embodiment)
        placed: list[Array] = []
        count = draws(f"{balls} balls")
        while len(placed) < balls:
            next(count)
            if embodiment.kind == "base":
                angle, distance = rng.uniform(-np.pi, np.pi), rng.uniform(*RING)
                xy = distance * np.array([np.cos(angle), np.sin(angle)])
            else:
                xy = np.array([rng.uniform(*X), rng.uniform(*Y)])
                if len(embodiment.limbs) == 2 and abs(xy[1]) < MIDDLE:
                    continue
            if all(np.linalg.norm(xy - other[:2]) > size.apart for other in placed):
                placed.append(np.array([*xy, size.radius]))
        return np.stack(placed)
