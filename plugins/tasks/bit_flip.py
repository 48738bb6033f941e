"""Bit flipping: make n bits equal to a goal, one flip a step, with a reward only where all are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.contracts import Embodiment, Ids, Problem, Simulation, Task, task_name

if TYPE_CHECKING:
    import mujoco

    from studio.rng import EpisodeRng

RISE = 0.02  # m a plate is lifted that stands for 1
LINE = 15  # bits in a line of the picture
SIDE = 0.1  # m from bit to bit


class BitFlip(Task):
    """Bits and goal are drawn uniformly. Action i flips bit i; the reward is 0 where all bits are the goal's, else −1.
    An episode has as many steps as there are bits: without relabeled goals nothing is ever learned of many."""

    id = "bit_flip"
    title = "Bit flipping"
    summary = "Flips one bit per step until all n bits equal the goal; the reward is sparse."
    reference = "Andrychowicz et al. 2017, Hindsight Experience Replay, arXiv:1707.01495, section 3.1"
    gymnasium_id = "BitFlip-{embodiment}-v0"
    horizon = 15  # of bits_15: of others as many as there are bits
    control_hz = 10.0
    controls = ("discrete",)
    observations = ("goal",)

    def check(self, embodiment: Embodiment) -> list[Problem]:
        if embodiment.id.startswith("bits_"):
            return []
        words = f"'{self.title}' is not for '{embodiment.id}', which has no bits."
        return [Problem("embodiment", words, "Choose bits_8, bits_15 or bits_30.")]

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        """The goal lies beneath the bits: light places, and dark plates in them that rise for 1."""
        import mujoco

        count = sum(body.name.startswith("bit") for body in spec.bodies)
        self.actions = self.goal_width = self.horizon = count
        line, lines = min(count, LINE), -(-count // LINE)
        box = {"type": mujoco.mjtGeom.mjGEOM_BOX, "contype": 0, "conaffinity": 0}
        for i in range(count):
            x = (i % line - (line - 1) / 2) * SIDE
            y = -(lines + 0.4 + i // line) * SIDE
            place = {"pos": [x, y, 0], "size": [0.044, 0.044, 0.004], "rgba": [0.97, 0.92, 0.90, 1]}
            spec.worldbody.add_geom(**box, **place)
            plate = spec.worldbody.add_body(name=task_name(f"goal{i:02d}"), mocap=True, pos=[x, y, 0])
            plate.add_geom(**box, size=[0.04, 0.04, 0.008], pos=[0, 0, -0.009], rgba=[0.86, 0.12, 0.12, 1])

    def prepare(self, world: Simulation) -> None:
        self._qpos, self._goals = world.bind("qpos"), world.mocap()
        self._every = np.arange(world.num_envs)

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        self._qpos[ids] = (rng.uniform(shape=(self.actions,)) < 0.5) * RISE
        self._goals[ids, :, 2] = (rng.uniform(shape=(self.actions,)) < 0.5) * RISE

    def act(self, world: Simulation, choices: np.ndarray, ids: Ids) -> None:
        rows = self._every[ids]
        self._qpos[rows, choices] = np.where(self._qpos[rows, choices] > RISE / 2, 0, RISE)

    def bits(self, ids: Ids) -> np.ndarray:
        """(n, bits) bool."""
        return np.asarray(self._qpos[ids] > RISE / 2)

    def observe(self, world: Simulation, ids: Ids) -> dict[str, np.ndarray]:
        return {"state": self.bits(ids).astype(np.float32)}

    def goal(self, world: Simulation, ids: Ids) -> np.ndarray:
        return (self._goals[ids][:, :, 2] > RISE / 2).astype(float)

    def success(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.asarray((self.bits(ids) == self.goal(world, ids)).all(1))

    def achieved(self, observation: Mapping[str, Any]) -> Any:
        return observation["state"]

    def goal_reached(self, achieved: Any, goal: Any) -> Any:
        return (achieved == goal).all(-1)

    def mark(self, places: np.ndarray, goal: np.ndarray) -> None:
        places[:, 2] = goal * RISE

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.where(self.success(world, ids), 0.0, -1.0)

    def expert(self, world: Simulation, ids: Ids) -> np.ndarray:
        """Flip the first bit that is not the goal's."""
        return (self.bits(ids) != self.goal(world, ids)).argmax(1)[:, None].astype(float)
