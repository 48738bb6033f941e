"""The states that a simulation passed through in an episode: to be drawn, or played again beside others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from studio.contracts import Ids
from studio.sim.observers import Observer
from studio.sim.scene import Scene

if TYPE_CHECKING:
    from studio.sim.simulation import BatchSimulation

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The states of an episode, one before each control step and one after the last.

    Args:
        qpos: (steps + 1, nq).
        mocap: positions of the mocap bodies, (steps + 1, bodies, 3), m.
        rewards: (steps,).
        path: where the end effector, or the first body that moves, was, (steps + 1, 3), m.
    """

    qpos: Array
    mocap: Array
    rewards: Array
    path: Array


class TrajectoryRecorder(Observer):
    """Records the first episodes of one of a world's simulations.

    Args:
        most: how many.
        sim: the simulation.
    """

    def __init__(self, most: int, sim: int = 0) -> None:
        self._most, self._sim, self._begun = most, sim, 0
        self._scene: Scene | None = None
        self._made: list[Trajectory] = []  # of the episodes that have ended, when they were asked for
        self._states: list[list[tuple[Array, Array]]] = []  # (qpos, mocap positions) of each episode's steps
        self._rewards: list[list[float]] = []

    def trajectories(self) -> list[Trajectory]:
        """Return the episodes, once all of them have ended."""
        known = len(self._made)
        self._made += map(self._trajectory, self._states[known:], self._rewards[known:])
        return self._made

    def on_reset(self, world: BatchSimulation, ids: Array) -> None:
        if self._sim not in ids:
            return
        self._scene, self._begun = world.scene, self._begun + 1
        if self._begun <= self._most:
            self._states.append([world.state(self._sim)])
            self._rewards.append([])

    def on_step(self, world: BatchSimulation, ids: Ids, rewards: Array) -> None:
        if self._begun > self._most:
            return
        row = np.flatnonzero(world.env_indices(ids) == self._sim)
        if len(row):
            self._states[-1].append(world.state(self._sim))
            self._rewards[-1].append(float(rewards[row[0]]))

    def _trajectory(self, states: list[tuple[Array, Array]], rewards: list[float]) -> Trajectory:
        assert self._scene is not None
        qpos, mocap = (np.array(each) for each in zip(*states, strict=True))
        return Trajectory(qpos, mocap, np.array(rewards), _path(self._scene, qpos, mocap))


def _path(scene: Scene, qpos: Array, mocap: Array) -> Array:
    """Return the places of the first end effector, or of the first body that moves, (n, 3), m."""
    data, body = mujoco.MjData(scene.model), scene.moving_body
    path = np.empty((len(qpos), 3))
    for place, pose, marks in zip(path, qpos, mocap, strict=True):
        data.qpos[:], data.mocap_pos[:] = pose, marks
        mujoco.mj_kinematics(scene.model, data)
        place[:] = data.site_xpos[scene.limbs[0].site] if scene.limbs else data.xpos[body]
    return path
