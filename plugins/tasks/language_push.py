"""Push the block that the instruction names to the pad that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plugins.tasks.blocks import close_hands
from plugins.tasks.colored_blocks import ColoredBlocks
from plugins.tasks.hand_experts import push_along
from studio.contracts import Embodiment, Ids, Simulation

if TYPE_CHECKING:
    import mujoco

Array = np.ndarray

BEHIND = 0.085  # m: far enough that the hand never comes down on the block


class LanguagePush(ColoredBlocks):
    """Three blocks lie between two pads. Success: the named block alone lies on a pad, and on the named one."""

    id = "language_push"
    title = "Push by instruction"
    summary = "Push the red, green or blue block to the left or right pad, as the instruction says."
    reference = "Transfer Studio; after Language-Table (Lynch et al. 2022, arXiv:2210.06407)"
    gymnasium_id = "LanguagePush-{embodiment}-v0"
    verb = "push"
    half, mass, friction = 0.03, 0.2, 0.6

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        close_hands(spec, embodiment)
        super().build(spec, embodiment)

    def expert(self, world: Simulation, ids: Ids) -> Array:
        way = self.way(world, ids)
        way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-9
        tool, block = world.end_effectors(ids)[:, 0], self.named(world, ids)
        return push_along(tool, block, way, self.step_size, BEHIND)[:, None]
