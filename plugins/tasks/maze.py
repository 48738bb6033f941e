"""Mazes: a family of grids of cells between walls, with a goal that is only found by going there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.contracts import Ids, Problem, Simulation, task_name
from studio.rng import EpisodeRng
from studio.sim.tasks.motor_task import MotorTask

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment

Array = np.ndarray
SIZE = 5  # cells along each side; cell c is ``column · 5 + row``
CELLS = SIZE**2
CELL = 0.2  # m
START = 0  # the cell in the corner where every episode begins
MOVES = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])  # right, up, left, down
STEP_COST = 0.04
MEMBERS = 2**31  # there are as many mazes
STREAM = 14  # of a maze's random numbers, whose seed is its number
HEIGHT, HIDDEN = 0.0, -0.5  # m: where a wall's middle is, and where it is when there is none
ONE_HOT = np.eye(CELLS, dtype=np.float32)
# the pairs of neighboring cells, (40, 2), each with a wall between them or none
PAIRS = np.array(
    [(c, c + SIZE) for c in range(CELLS - SIZE)] + [(c, c + 1) for c in range(CELLS) if c % SIZE < SIZE - 1]
)


class Maze(MotorTask):
    """A move leads to the next cell, or nowhere if a wall stands there. Reward 1 in the goal's cell, where the episode
    ends, and −0.04 a step before. Between any two cells there is one way; the others are dead ends.

    Observed are the cell, one-hot, and the walls on its four sides, (29,), never the goal. The context is the maze's
    number, which its walls and its goal are drawn from. Who remembers an earlier episode of the same maze need not
    search again.
    """

    id = "maze"
    title = "Maze"
    summary = "A 5×5 maze with unknown walls and an unknown goal: dead ends are there to be remembered."
    reference = "Duan et al. 2016 (RL²), arXiv:1611.02779, section 3.3, on a grid"
    gymnasium_id = "Maze-v0"
    embodiment_id = "point"
    horizon = 50
    control_hz = 5.0
    controls = ("discrete",)
    observations = ("state", "goal")
    actions = len(MOVES)
    goal_width = 2
    goal_in_plane = True
    has_success = True
    has_expert = True
    context = ("number",)
    whole = ("number",)
    ranges = ((0.0, MEMBERS - 1.0),)

    def family(self, rng: EpisodeRng) -> Array:
        return np.floor(rng.uniform(shape=(1,)) * MEMBERS)

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        if context[0] == int(context[0]) and 0 <= context[0] < MEMBERS:
            return []
        words = f"There is no maze with the number {context[0]:.15g}."
        return [Problem("contexts", words, f"Give a whole number from 0 to {MEMBERS - 1}.")]

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        spec.stat.extent, spec.stat.center = 1.1, [0, 0, 0]
        spec.visual.global_.elevation = -65
        box: dict[str, Any] = {"type": mujoco.mjtGeom.mjGEOM_BOX, "contype": 0, "conaffinity": 0}
        half, dark = 0.5 * CELL, [0.35, 0.37, 0.42, 1]
        goal = spec.worldbody.add_body(name=task_name("goal"), mocap=True)
        goal.add_geom(**box, pos=[0, 0, -0.02], size=[0.6 * half, 0.6 * half, 0.004], rgba=[0.86, 0.12, 0.12, 1])
        for i, (one, other) in enumerate(PAIRS):
            wall = spec.worldbody.add_body(name=task_name(f"wall{i:02d}"), mocap=True)
            across = other - one == SIZE  # between columns
            wall.add_geom(**box, size=[0.012, half, 0.05] if across else [half, 0.012, 0.05], rgba=dark)
        end = SIZE * half
        for x, y in MOVES * end:
            size = [0.012, end, 0.05] if x else [end, 0.012, 0.05]
            spec.worldbody.add_geom(**box, pos=[x, y, HEIGHT], size=size, rgba=dark)

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        n = world.num_envs
        self._bodies = world.mocap()
        self._walls = np.zeros((n, len(PAIRS)), bool)
        self._open = np.zeros((n, CELLS, len(MOVES)), bool)  # whether a move leads to the next cell
        self._goal = np.zeros(n, int)
        self._known = np.full(n, -1.0)  # the numbers of the mazes that are there

    def reset(self, world: Simulation, ids: Array, rng: EpisodeRng) -> None:
        rows = self._with_mazes(world, ids)
        self.qpos[rows], self.qvel[rows] = _place(np.array(START)), 0
        self._show(rows)

    def act(self, world: Simulation, choices: Array, ids: Ids) -> None:
        rows = self._with_mazes(world, ids)
        cells = _cell(self.qpos[rows])
        self.qpos[rows] += CELL * MOVES[choices] * self._open[rows, cells, choices][:, None]

    def state(self, ids: Ids) -> Array:
        rows = self._with_mazes(self.world, ids)
        cells = _cell(self.qpos[rows])
        return np.concatenate([ONE_HOT[cells], ~self._open[rows, cells]], 1).astype(np.float32)

    def goal(self, world: Simulation, ids: Ids) -> Array:
        return self._bodies[ids][:, 0, :2].copy()

    def reward(self, world: Simulation, ids: Ids) -> Array:
        return np.where(self.success(world, ids), 1.0, -STEP_COST)

    def success(self, world: Simulation, ids: Ids) -> Array:
        return np.asarray(_cell(self.qpos[ids]) == _cell(self._bodies[ids][:, 0, :2]))  # a hand may move the goal

    def terminated(self, world: Simulation, ids: Ids) -> Array:
        return self.success(world, ids)

    def expert(self, world: Simulation, ids: Ids) -> Array:
        """Return the move that leads on the only way to the goal, (n, 1)."""
        rows = self._with_mazes(world, ids)
        steps = distances(self._open[rows], _cell(self._bodies[rows, 0, :2]))
        cells = _cell(self.qpos[rows])
        ahead = np.where(self._open[rows, cells], np.take_along_axis(steps, _next(cells), 1), np.inf)
        return ahead.argmin(1)[:, None].astype(float)

    def _with_mazes(self, world: Simulation, ids: Ids) -> Array:
        """Return ``ids`` as indices, after drawing those mazes that are new there."""
        rows = np.arange(world.num_envs)[ids]
        new = rows[world.contexts[rows, 0] != self._known[rows]]
        if len(new):
            self._known[new] = world.contexts[new, 0]
            self._walls[new], self._goal[new] = mazes(self._known[new])
            self._open[new] = open_moves(self._walls[new])
            self._show(new)
        return rows

    def _show(self, rows: Array) -> None:
        """Put the goal and the walls where the maze has them."""
        self._bodies[rows, 0, :2] = _place(self._goal[rows])
        self._bodies[rows, 0, 2] = 0
        self._bodies[rows, 1:, :2] = (_place(PAIRS[:, 0]) + _place(PAIRS[:, 1])) / 2
        self._bodies[rows, 1:, 2] = np.where(self._walls[rows], HEIGHT, HIDDEN)


def mazes(numbers: Array) -> tuple[Array, Array]:
    """Return where walls stand, (n, 40) bool, one for each of ``PAIRS``, and the goals' cells, (n,), of mazes by their
    numbers, (n,).

    The open pairs are the minimum spanning tree of uniformly random weights (Prim's algorithm); the goal is uniform
    over all cells but the start.
    """
    rng = EpisodeRng(np.asarray(numbers, np.uint64), STREAM)
    weights, goals = rng.uniform(shape=(len(PAIRS),)), 1 + (rng.uniform() * (CELLS - 1)).astype(int)
    every, one, other = np.arange(len(rng)), PAIRS[:, 0], PAIRS[:, 1]
    walls, reached = np.ones(weights.shape, bool), np.zeros((len(rng), CELLS), bool)
    reached[:, START] = True
    for _ in range(CELLS - 1):
        pair = np.where(reached[:, one] != reached[:, other], weights, np.inf).argmin(1)
        walls[every, pair] = False
        reached[every, one[pair]] = reached[every, other[pair]] = True
    return walls, goals


def open_moves(walls: Array) -> Array:
    """Return whether each move from each cell is open, (n, 25, 4), given the walls, (n, 40)."""
    found = np.zeros((len(walls), CELLS, len(MOVES)), bool)
    for i, (one, other) in enumerate(PAIRS):
        ahead = 0 if other - one == SIZE else 1  # right or up, and back
        found[:, one, ahead] = found[:, other, ahead + 2] = ~walls[:, i]
    return found


def distances(moves: Array, goals: Array) -> Array:
    """Return the fewest steps from each cell to the goal, (n, 25), given open moves, (n, 25, 4), and goals, (n,)."""
    steps = np.where(np.arange(CELLS) == goals[:, None], 0.0, np.inf)
    following = _next(np.arange(CELLS))
    for _ in range(CELLS - 1):
        steps = np.minimum(steps, 1 + np.where(moves, steps[:, following], np.inf).min(-1))
    return steps


def _next(cells: Array) -> Array:
    """Return the cells that the four moves lead to where they are open, (…, 4); within the grid in any case."""
    column, row = np.divmod(cells[..., None], SIZE)
    x, y = column + MOVES[:, 0], row + MOVES[:, 1]
    return np.asarray(np.clip(x, 0, SIZE - 1) * SIZE + np.clip(y, 0, SIZE - 1))


def _place(cell: Array) -> Array:
    """Return the middle of a cell, (…, 2), m."""
    return (np.stack(np.divmod(cell, SIZE), -1) - (SIZE - 1) / 2) * CELL


def _cell(place: Array) -> Array:
    """Return the cell of a place (n, 2), the nearest one outside of the grid."""
    at = np.clip(np.rint(place / CELL + (SIZE - 1) / 2), 0, SIZE - 1)
    return np.asarray(at[:, 0] * SIZE + at[:, 1]).astype(int)
