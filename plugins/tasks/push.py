"""Push the block to the marked goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plugins.tasks.blocks import Block, add_block, add_marker, close_hands, nearer_arm, place_on_table
from plugins.tasks.hand_experts import push_along
from studio.contracts import Embodiment, Ids, Problem, Simulation, Task

if TYPE_CHECKING:
    import mujoco

    from studio.rng import EpisodeRng

Array = np.ndarray


@dataclass(frozen=True)
class Size:
    """What differs between a table and a floor."""

    half: float  # of the block's edge, m
    mass: float  # of the block, kg
    away: tuple[float, float]  # how far the goal is from the block, m
    marker: float  # radius of the goal's mark, m
    near: float  # how near to it the block's center counts, m
    height: float  # of the mark, m


TABLE = Size(half=0.03, mass=0.2, away=(0.12, 0.18), marker=0.05, near=0.04, height=0.001)
FLOOR = Size(half=0.12, mass=8.0, away=(0.25, 0.40), marker=0.17, near=0.10, height=0.005)
FRICTION = 0.6
RING = (0.85, 0.95)  # m from a driving base's start to the block
OUTWARD = 1.4  # rad that a base's goal may lie off the direction away from its start: it must get behind the block

# a driving base's expert, m
FRONT = 0.48  # from its center to its front bumper
ROUND = 0.86  # from the block's center to its own, where it can turn freely


class Push(Task):
    """Push the red block onto the green mark.

    The reward of a state is −(distance of the nearest tool to the block's center + distance of the block to the goal in
    the plane), m. Success: the block's center is within 4 cm of the goal's on a table, 10 cm on a floor.
    """

    id = "push"
    title = "Push"
    summary = "Push the red block across the table or the floor onto the green mark."
    reference = "Transfer Studio; after Gymnasium-Robotics' FetchPush (Plappert et al. 2018, arXiv:1802.09464)"
    horizon = 80
    control_hz = 10
    step_size = 0.03
    gymnasium_id = "Push-{embodiment}-v0"
    goal_width = 6
    goal_in_plane = True

    def check(self, embodiment: Embodiment) -> list[Problem]:
        if not embodiment.limbs:
            words = f"'{embodiment.id}' has nothing to push with."
            return [Problem("embodiment", words, "Choose an arm or a driving base, or add a site to its model.")]
        return []

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        size = self._size(embodiment)
        close_hands(spec, embodiment)
        add_block(spec, size.half, size.mass, FRICTION)
        add_marker(spec, size.marker, size.height)

    def prepare(self, world: Simulation) -> None:
        self._block = Block(world)
        self._near = self._size(world.embodiment).near

    def reset(self, world: Simulation, ids: Array, rng: EpisodeRng) -> None:
        size = self._size(world.embodiment)
        if world.embodiment.kind == "base":
            place = rng.uniform(-np.pi, np.pi)
            xy = rng.uniform(*RING)[:, None] * np.stack([np.cos(place), np.sin(place)], 1)
            way = place + rng.uniform(-OUTWARD, OUTWARD)
            goal = xy + rng.uniform(*size.away)[:, None] * np.stack([np.cos(way), np.sin(way)], 1)
        else:
            xy, goal = place_on_table(rng, len(world.embodiment.limbs) == 2, *size.away)
        self._block.place(ids, xy, size.half, rng.uniform(-np.pi, np.pi))
        mocap = world.mocap()
        mocap[ids, 0, :2], mocap[ids, 0, 2] = goal, size.height

    def goal(self, world: Simulation, ids: Ids) -> Array:
        """The block's center and the goal's, (n, 6), m."""
        return np.concatenate([self._block.position(ids), world.mocap()[ids, 0]], 1)

    def achieved(self, observation: Mapping[str, Any]) -> Any:
        """The block's place, at the height of the goal's mark."""
        whole = observation["goal"]
        place = 1 * whole[..., 3:]
        place[..., :2] = whole[..., :2]
        return place

    def goal_reached(self, achieved: Any, goal: Any) -> Any:
        return ((achieved - goal)[..., :2] ** 2).sum(-1) < self._near**2

    def reward(self, world: Simulation, ids: Ids) -> Array:
        tool = np.linalg.norm(world.end_effectors(ids) - self._block.position(ids)[:, None], axis=-1).min(1)
        return -tool - self._left(world, ids)

    def success(self, world: Simulation, ids: Ids) -> Array:
        return np.asarray(self._left(world, ids) < self._size(world.embodiment).near)

    def expert(self, world: Simulation, ids: Ids) -> Array:
        block, goal = self._block.position(ids), world.mocap()[ids, 0]
        way = (goal - block)[:, :2]
        way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-9
        if world.embodiment.kind == "base":
            return self._drive(world, ids, block[:, :2], way)
        tools = world.end_effectors(ids)
        action = np.stack([push_along(tools[:, i], block, way, self.step_size) for i in range(tools.shape[1])], 1)
        return nearer_arm(action, goal[:, 1])

    @staticmethod
    def _size(embodiment: Embodiment) -> Size:
        return FLOOR if embodiment.kind == "base" else TABLE

    def _left(self, world: Simulation, ids: Ids) -> Array:
        """How far the block is from the goal in the plane, (n,), m."""
        return np.linalg.norm((self._block.position(ids) - world.mocap()[ids, 0])[:, :2], axis=1)

    def _drive(self, world: Simulation, ids: Ids, block: Array, way: Array) -> Array:
        """A base's x, y in its own frame and its turn: around the block to its far side, then straight on."""
        yaw = world.yaw(ids)
        ahead = np.stack([np.cos(yaw), np.sin(yaw)], 1)
        offset = world.end_effectors(ids)[:, 0, :2] - FRONT * ahead - block  # of the base's center from the block
        across = np.stack([-way[:, 1], way[:, 0]], 1)
        along, side = (offset * way).sum(1), (offset * across).sum(1)
        turn = (np.arctan2(way[:, 1], way[:, 0]) - yaw + np.pi) % (2 * np.pi) - np.pi
        lane = (along < 0) & (np.abs(side) < 0.10) & (np.abs(turn) < 0.15)
        # around: on a circle about the block, the shorter way
        distance = np.linalg.norm(offset, axis=1)
        out = offset / (distance[:, None] + 1e-9)
        angle = np.arctan2(side, -along)  # 0: straight behind
        tangent = np.stack([-out[:, 1], out[:, 0]], 1)
        around = 0.6 * (tangent * (ROUND * angle)[:, None] + out * (ROUND - distance)[:, None])
        move = np.where(lane[:, None], 0.06 * way - side[:, None] * across, around) / (2 * self.step_size)
        move = move / np.maximum(1, np.abs(move).max(1, keepdims=True))
        forward = (move * ahead).sum(1)
        leftward = ahead[:, 0] * move[:, 1] - ahead[:, 1] * move[:, 0]
        return np.clip(np.stack([forward, leftward, turn / 0.15], 1), -1, 1)[:, None]
