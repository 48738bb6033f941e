"""Pick up the block that the instruction names and put it on the pad that it names."""

from __future__ import annotations

import numpy as np

from plugins.tasks.blocks import finger_places
from plugins.tasks.colored_blocks import ColoredBlocks
from plugins.tasks.hand_experts import grasp_and_place
from plugins.tasks.pick_place import DOWN, FREE
from studio.contracts import Embodiment, Ids, Observation, Problem, Simulation

Array = np.ndarray


class LanguagePickPlace(ColoredBlocks):
    """Three blocks lie between two pads. Success: the named block alone lies on a pad, the named one, and the hand has
    let go of it."""

    id = "language_pick_place"
    title = "Pick and place by instruction"
    summary = "Pick up the red, green or blue block and put it on the left or right pad, as the instruction says."
    reference = "Transfer Studio; after CLIPort (Shridhar et al. 2021, arXiv:2109.12098)"
    gymnasium_id = "LanguagePickPlace-{embodiment}-v0"
    grips = True
    horizon = 80
    verb = "pick_place"
    half, mass, friction = 0.024, 0.1, 1.0

    def check(self, embodiment: Embodiment) -> list[Problem]:
        problems = super().check(embodiment)
        if not problems and not embodiment.limbs[0].gripper:
            words = f"'{embodiment.id}' has no gripper; it cannot grasp."
            problems.append(Problem("embodiment", words, "Choose an arm with a gripper, or the task 'language_push'."))
        return problems

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._fingers = finger_places(world.model, world.embodiment.limbs[0].gripper)

    def observe(self, world: Simulation, ids: Ids) -> Observation:
        """How far the gripper is open, (n, 1), m."""
        return {"gripper_pos": self._opening(world, ids)[:, None].astype(np.float32)}

    def on_pad(self, world: Simulation, ids: Ids) -> Array:
        places, tool = self.places(world, ids), world.end_effectors(ids)[:, :1]
        apart = np.linalg.norm(places - tool, axis=-1) > 3 * self.half
        let_go = apart | (self._opening(world, ids) > self.half + FREE)[:, None]
        return super().on_pad(world, ids) & (np.abs(places[..., 2] - self.half) < DOWN) & let_go

    def expert(self, world: Simulation, ids: Ids) -> Array:
        block, tool = self.named(world, ids), world.end_effectors(ids)[:, 0]
        way = np.concatenate([self.way(world, ids), self.half - block[:, 2:]], 1)
        return grasp_and_place(tool, self._opening(world, ids), block, way, self.half, self.step_size)[:, None]

    def _opening(self, world: Simulation, ids: Ids) -> Array:
        """How far the hand is open, from the middle to a finger, (n,), m."""
        return np.asarray(world.bind("qpos")[ids][:, self._fingers].mean(-1))
