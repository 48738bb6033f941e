"""Pick the block up and put it down on the marked goal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plugins.tasks.blocks import Block, add_block, add_marker, finger_places, nearer_arm, place_on_table
from plugins.tasks.hand_experts import grasp_and_place
from studio.contracts import Embodiment, Ids, Observation, Problem, Simulation, Task

if TYPE_CHECKING:
    import mujoco

    from studio.rng import EpisodeRng

Array = np.ndarray

HALF, MASS, FRICTION = 0.024, 0.1, 1.0  # m of the block's half edge, kg, and its friction
AWAY = (0.12, 0.18)  # m from the block to its goal
TURNED = 0.3  # rad: fingers close on faces, not on edges
MARKER = 0.05  # m, radius
NEAR, DOWN = 0.04, 0.006  # m: how near the goal's center, and how far above the table, the block has been put down
FREE = 0.006  # m between each finger and the block of a hand that has let go


class PickPlace(Task):
    """Grasp the red block and let go of it on the green mark.

    The reward of a state is −(distance of the nearest tool to the block + distance of the block to its place on the
    goal), m. Success: the block lies on the table within 4 cm of the goal's center, and no hand holds it.
    """

    id = "pick_place"
    title = "Pick and place"
    summary = "Grasp the red block and place it on the green mark."
    reference = "Transfer Studio; after Gymnasium-Robotics' FetchPickAndPlace (Plappert et al. 2018, arXiv:1802.09464)"
    horizon = 80
    control_hz = 10
    step_size = 0.03
    gymnasium_id = "PickPlace-{embodiment}-v0"
    goal_width = 6
    goal_in_plane = True
    grips = True

    def check(self, embodiment: Embodiment) -> list[Problem]:
        if embodiment.kind == "base":
            words = f"'{embodiment.id}' drives; it cannot grasp."
        elif not embodiment.limbs or not all(limb.gripper for limb in embodiment.limbs):
            words = f"'{embodiment.id}' has no gripper; it cannot grasp."
        else:
            return []
        return [Problem("embodiment", words, "Choose an arm with a gripper, or the task 'push'.")]

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        add_block(spec, HALF, MASS, FRICTION)
        add_marker(spec, MARKER, 0.001)

    def prepare(self, world: Simulation) -> None:
        self._block = Block(world)
        self._fingers = np.stack([finger_places(world.model, limb.gripper) for limb in world.embodiment.limbs])

    def reset(self, world: Simulation, ids: Array, rng: EpisodeRng) -> None:
        xy, goal = place_on_table(rng, len(world.embodiment.limbs) == 2, *AWAY)
        self._block.place(ids, xy, HALF, rng.uniform(-TURNED, TURNED))
        mocap = world.mocap()
        mocap[ids, 0, :2], mocap[ids, 0, 2] = goal, 0.001

    def observe(self, world: Simulation, ids: Ids) -> Observation:
        """How far each gripper is open, (n, limbs), m: neither joint positions nor end effectors tell."""
        return {"gripper_pos": self._opening(world, ids).astype(np.float32)}

    def goal(self, world: Simulation, ids: Ids) -> Array:
        """The block's center and the goal's on the table, (n, 6), m."""
        return np.concatenate([self._block.position(ids), world.mocap()[ids, 0]], 1)

    def reward(self, world: Simulation, ids: Ids) -> Array:
        tool = np.linalg.norm(world.end_effectors(ids) - self._block.position(ids)[:, None], axis=-1).min(1)
        return -tool - np.linalg.norm(self._way(world, ids), axis=1)

    def success(self, world: Simulation, ids: Ids) -> Array:
        way = self._way(world, ids)
        lies = (np.linalg.norm(way[:, :2], axis=1) < NEAR) & (np.abs(way[:, 2]) < DOWN)
        apart = np.linalg.norm(world.end_effectors(ids) - self._block.position(ids)[:, None], axis=-1) > 3 * HALF
        return np.asarray(lies & (apart | (self._opening(world, ids) > HALF + FREE)).all(1))

    def expert(self, world: Simulation, ids: Ids) -> Array:
        block, way, tools = self._block.position(ids), self._way(world, ids), world.end_effectors(ids)
        opening = self._opening(world, ids)
        hands = [
            grasp_and_place(tools[:, i], opening[:, i], block, way, HALF, self.step_size) for i in range(tools.shape[1])
        ]
        action = nearer_arm(np.stack(hands, 1), world.mocap()[ids, 0, 1])
        return action

    def _opening(self, world: Simulation, ids: Ids) -> Array:
        """How far each hand is open, from the middle to a finger, (n, limbs), m."""
        return world.bind("qpos")[ids][:, self._fingers].mean(-1)

    def _way(self, world: Simulation, ids: Ids) -> Array:
        """From the block to where it is to lie, (n, 3), m."""
        place = world.mocap()[ids, 0].copy()
        place[:, 2] = HALF
        return place - self._block.position(ids)
