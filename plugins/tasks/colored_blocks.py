"""The scene of the language tasks: a red, a green and a blue block between two pads, and an instruction.

Which block has to go to which pad is the context; nothing but the instruction says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plugins.tasks.blocks import GREEN, RED, Block, add_block
from plugins.tasks.phrases import COLORS, sentences
from studio.contracts import Embodiment, Ids, Problem, Simulation, Task, task_name

if TYPE_CHECKING:
    import mujoco

    from studio.rng import EpisodeRng

Array = np.ndarray

BLUE = (0.13, 0.27, 0.80, 1.0)
NAMES = tuple(f"{color}_block" for color in COLORS["english"])
PAD_COLOR = (0.93, 0.90, 0.80, 1.0)
PAD = np.array([0.48, 0.22])  # m; center of the left pad; the right one's has the opposite y
PAD_HALF = np.array([0.18, 0.055])  # m
WELL_INSIDE = 0.09  # m in x from the middle of a pad
ROWS = np.array([0.38, 0.48, 0.58])  # m: x of the blocks, one color in each
SCATTER = np.array([0.012, 0.03])  # m: how far a block may lie from the middle of its row, in x and in y
MOVED = np.array([0.03, 0.03])  # m: how much farther out blocks lie whose starts are moved, in x and in y
TURNED = 0.3  # rad
ORDERS = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])  # which row each color has


class ColoredBlocks(Task):
    """What the language tasks share. An episode also ends when another block comes onto a pad."""

    verb: ClassVar[str]
    half: ClassVar[float]  # m, of a block's edge
    mass: ClassVar[float]  # kg
    friction: ClassVar[float]
    control_hz = 10
    step_size = 0.03
    horizon = 60
    observations = ("image", "instruction")
    controls = ("end_effector", "joint")
    context = ("object", "pad")  # 0 red, 1 green, 2 blue; 0 left, 1 right as the robot sees it
    members = tuple((float(color), float(side)) for color in range(3) for side in range(2))
    languages = ("english", "chinese")
    # moved: farther out than in any training; swapped: the named block has changed places with another one
    placements = ("usual", "moved", "swapped")
    goal_width = 2

    def check(self, embodiment: Embodiment) -> list[Problem]:
        if embodiment.kind == "arm" and len(embodiment.limbs) == 1:
            return []
        words = f"'{embodiment.id}' is not a single arm, and '{self.id}' is laid out for one."
        return [Problem("embodiment", words, "Choose franka_7dof, ur5_6dof or another robot with one arm.")]

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        if tuple(context) in self.members:
            return []
        words = f"There is no object {context[0]:g} with a pad {context[1]:g}."
        return [Problem("", words, "Objects are 0 (red), 1 (green), 2 (blue); pads are 0 (left), 1 (right).")]

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        for name, color in zip(NAMES, (RED, GREEN, BLUE), strict=True):
            add_block(spec, self.half, self.mass, self.friction, name, color)
        for side, y in (("left", PAD[1]), ("right", -PAD[1])):
            spec.worldbody.add_geom(
                name=task_name(f"{side}_pad"),
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=[*PAD_HALF, 0.001],
                pos=[PAD[0], y, 0.001],
                rgba=PAD_COLOR,
                contype=0,
                conaffinity=0,
                mass=0,
            )

    def prepare(self, world: Simulation) -> None:
        self._blocks = [Block(world, name) for name in NAMES]

    def sentences(self, context: Sequence[float], language: str, wording: str) -> Sequence[str]:
        return sentences(self.verb, int(context[0]), int(context[1]), language, wording)

    def reset(self, world: Simulation, ids: Array, rng: EpisodeRng) -> None:
        rows = ORDERS[(rng.uniform() * len(ORDERS)).astype(int)]
        scatter, yaw = rng.uniform(-1, 1, (3, 2)), rng.uniform(-TURNED, TURNED, (3,))
        offset = SCATTER * scatter
        if world.domain.placement == "moved":
            offset += MOVED * np.where(scatter < 0, -1, 1)
        places = np.stack([ROWS[rows], np.zeros(rows.shape)], 2) + offset
        if world.domain.placement == "swapped":
            every, named = np.arange(len(ids)), world.contexts[ids, 0].astype(int)
            other = (named + 1) % 3
            places[every, named], places[every, other] = places[every, other], places[every, named]
        for color, block in enumerate(self._blocks):
            block.place(ids, places[:, color], self.half, yaw[:, color])

    def reward(self, world: Simulation, ids: Ids) -> Array:
        """−(distance of the tool to the named block + distance of the block to its pad), m."""
        tool = np.linalg.norm(world.end_effectors(ids)[:, 0] - self.named(world, ids), axis=1)
        return np.asarray(-tool - np.linalg.norm(self.way(world, ids), axis=1))

    def success(self, world: Simulation, ids: Ids) -> Array:
        right = self.on_pad(world, ids)[np.arange(len(world.contexts[ids])), world.contexts[ids, 0].astype(int)]
        aimed = self.named(world, ids)[:, 1] * self.side(world, ids) > 0
        return np.asarray(right & aimed & (self.on_pad(world, ids).sum(1) == 1))

    def terminated(self, world: Simulation, ids: Ids) -> Array:
        return np.asarray(self.on_pad(world, ids).any(1))

    def on_pad(self, world: Simulation, ids: Ids) -> Array:
        """Return which blocks lie on a pad, (n, 3) bool."""
        places = self.places(world, ids)
        apart = np.abs(np.stack([places[..., 0], np.abs(places[..., 1])], -1) - PAD)
        return np.asarray((apart < PAD_HALF).all(-1))

    def places(self, world: Simulation, ids: Ids) -> Array:
        """Return the centers of the red, the green and the blue block, (n, 3, 3), m."""
        return np.stack([block.position(ids) for block in self._blocks], 1)

    def named(self, world: Simulation, ids: Ids) -> Array:
        """Return the center of the block that has to move, (n, 3), m."""
        places = self.places(world, ids)
        return np.asarray(places[np.arange(len(places)), world.contexts[ids, 0].astype(int)])

    def side(self, world: Simulation, ids: Ids) -> Array:
        """Return 1 where it has to go to the left, −1 to the right, (n,)."""
        return np.where(world.contexts[ids, 1] < 0.5, 1.0, -1.0)

    def way(self, world: Simulation, ids: Ids) -> Array:
        """Return the shortest way of the named block to its pad, well inside it, (n, 2), m."""
        block = self.named(world, ids)
        across = np.clip(block[:, 0], PAD[0] - WELL_INSIDE, PAD[0] + WELL_INSIDE)
        return np.stack([across, PAD[1] * self.side(world, ids)], 1) - block[:, :2]
