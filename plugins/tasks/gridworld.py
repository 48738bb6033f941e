"""Gridworld: a small tabular world whose transition probabilities are known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from studio.contracts import Ids, Simulation, task_name
from studio.sim.tasks.motor_task import MotorTask

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment
    from studio.rng import EpisodeRng

SIZE = 5  # cells along each side
CELL = 0.2  # m
MOVES = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [0, 0]])  # right, up, left, down, stay
SLIP = 0.2  # probability that the move is one drawn uniformly of the five, whatever was chosen
WALL = 2  # the wall stands before this column, and leaves the topmost row open
ONE_HOT = np.eye(SIZE**2, dtype=np.float32)
GOAL = (SIZE - 1, 0)  # column and row, from below on the left


class Gridworld(MotorTask):
    """A cell to another: reward −1 a step, 0 in the goal's cell. Starts are drawn left of where a wall would be, the
    goal is the lowest cell on the right; a hand may move it. State s is ``column · 5 + row``, observed one-hot."""

    id = "gridworld"
    title = "Gridworld"
    summary = "A 5×5 grid with slippery moves and exactly known transition probabilities."
    reference = "Transfer Studio; after Eysenbach et al. 2021, arXiv:2006.13916, section 4 (exact Δr)"
    gymnasium_id = "Gridworld-v0"
    embodiment_id = "point"
    horizon = 40
    control_hz = 5.0
    controls = ("discrete",)
    observations = ("goal", "state", "image")
    actions = len(MOVES)
    goal_width = 2
    goal_in_plane = True
    has_success = True
    has_expert = True
    wall: ClassVar[bool] = False

    def transitions(self) -> np.ndarray:
        """p(s′|s, a) exactly, (25, 5, 25); the goal's cell is one like the others."""
        following = self._following()
        table = np.zeros((SIZE**2, len(MOVES), SIZE**2))
        every = np.arange(SIZE**2)
        for chosen in range(len(MOVES)):
            for made in range(len(MOVES)):
                share = SLIP / len(MOVES) + (1 - SLIP) * (made == chosen)
                table[every, chosen, following[:, made]] += share
        return table

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        spec.stat.extent, spec.stat.center = 1.1, [0, 0, 0]
        spec.visual.global_.elevation = -65
        box: dict[str, Any] = {"type": mujoco.mjtGeom.mjGEOM_BOX, "contype": 0, "conaffinity": 0}
        half, flat = 0.47 * CELL, 0.004
        for cell in range(SIZE**2):
            rgba = [0.93, 0.94, 0.95, 1]
            spec.worldbody.add_geom(**box, pos=[*_place(np.array(cell)), -0.026], size=[half, half, flat], rgba=rgba)
        if self.wall:
            length, x = (SIZE - 1) * CELL / 2, (WALL - SIZE / 2) * CELL
            size, rgba = [0.015, length, 0.05], [0.35, 0.37, 0.42, 1]
            spec.worldbody.add_geom(**box, name=task_name("wall"), pos=[x, -CELL / 2, 0.02], size=size, rgba=rgba)
        goal = spec.worldbody.add_body(name=task_name("goal"), mocap=True)
        size, rgba = [0.7 * half, 0.7 * half, flat], [0.86, 0.12, 0.12, 1]
        goal.add_geom(**box, pos=[0, 0, -0.02], size=size, rgba=rgba)

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._goals = world.mocap()
        self._next = self._following()

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        self.qpos[ids] = _place((rng.uniform() * WALL * SIZE).astype(int))
        self._goals[ids, 0, :2] = _place(np.array(GOAL[0] * SIZE + GOAL[1]))
        self._goals[ids, 0, 2] = 0

    def act(self, world: Simulation, choices: np.ndarray, ids: Ids) -> None:
        rng = world.step_rng(ids)
        slips, instead = rng.uniform() < SLIP, (rng.uniform() * len(MOVES)).astype(int)
        self.qpos[ids] = _place(self._next[self.cells(ids), np.where(slips, instead, choices)])

    def cells(self, ids: Ids) -> np.ndarray:
        """Each simulation's state s, (n,)."""
        return _cell(self.qpos[ids])

    def state(self, ids: Ids) -> np.ndarray:
        return ONE_HOT[self.cells(ids)]

    def goal(self, world: Simulation, ids: Ids) -> np.ndarray:
        return self._goals[ids][:, 0, :2].copy()

    def success(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.asarray(self.cells(ids) == _cell(self._goals[ids][:, 0, :2]))

    def achieved(self, observation: Mapping[str, Any]) -> Any:
        """The middle of the present cell."""
        cell, place = observation["state"].argmax(-1), 0 * observation["goal"]
        place[..., 0], place[..., 1] = cell // SIZE, cell % SIZE
        return (place - (SIZE - 1) / 2) * CELL

    def goal_reached(self, achieved: Any, goal: Any) -> Any:
        return (abs(achieved - goal) < CELL / 2).all(-1)

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.where(self.success(world, ids), 0.0, -1.0)

    def terminated(self, world: Simulation, ids: Ids) -> np.ndarray:
        return self.success(world, ids)

    def expert(self, world: Simulation, ids: Ids) -> np.ndarray:
        """The move that leads on the shortest way to the goal if it does not slip, (n, 1)."""
        steps = self._steps_between()
        ahead = steps[self._next[self.cells(ids)], _cell(self._goals[ids][:, 0, :2])[:, None]]  # (n, moves)
        return ahead.argmin(1)[:, None].astype(float)

    def _following(self) -> np.ndarray:
        """The cell that each move leads to from each, (25, 5): the same one where the grid ends or the wall stands."""
        column, row = np.divmod(np.arange(SIZE**2)[:, None], SIZE)
        x, y = column + MOVES[:, 0], row + MOVES[:, 1]
        free = (x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE)
        if self.wall:
            free &= ((column < WALL) == (x < WALL)) | (row == SIZE - 1)
        return np.where(free, x * SIZE + y, column * SIZE + row)

    def _steps_between(self) -> np.ndarray:
        """Fewest moves from each cell to each, (25, 25)."""
        steps = np.where(np.eye(SIZE**2, dtype=bool), 0.0, np.inf)
        for _ in range(SIZE**2):
            steps = np.minimum(steps, 1 + steps[self._next].min(1))
        return steps


class GridworldWall(Gridworld):
    """With a wall across all rows but the topmost: the way to the goal leads around it."""

    id = "gridworld_wall"
    title = "Gridworld with a wall"
    summary = "The 5×5 grid with a wall between start and goal, open at the top."
    gymnasium_id = "GridworldWall-v0"
    wall = True


def _place(cell: np.ndarray) -> np.ndarray:
    """Middle of a cell, (…, 2), m."""
    return (np.stack(np.divmod(cell, SIZE), -1) - (SIZE - 1) / 2) * CELL


def _cell(place: np.ndarray) -> np.ndarray:
    """The cell of a place (n, 2), the nearest one outside of the grid."""
    at = np.minimum(np.maximum(np.rint(place / CELL + (SIZE - 1) / 2), 0), SIZE - 1)
    return np.asarray(at[:, 0] * SIZE + at[:, 1]).astype(int)
