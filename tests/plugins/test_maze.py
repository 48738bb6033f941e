"""Mazes: walls as a spanning tree, moves that walls stop, and SciPy's shortest path as the oracle's."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, shortest_path

from plugins.tasks.maze import CELLS, PAIRS, START, mazes
from studio.meta.trials import Trials
from studio.sim.gymnasium_ids import make_vector
from studio.sim.rollout import expert_actions, run_episodes


def graph(walls: np.ndarray) -> coo_array:
    one, other = PAIRS[~walls].T
    return coo_array((np.ones(len(one)), (one, other)), (CELLS, CELLS))


def test_every_cell_of_a_maze_is_reached_in_one_way() -> None:
    walls, goals = mazes(np.arange(300))
    assert {connected_components(graph(each), directed=False)[0] for each in walls} == {1}
    assert set((~walls).sum(1)) == {CELLS - 1}  # connected, with as many edges as a tree: one way
    assert set(goals) == set(range(CELLS)) - {START} and len(np.unique(walls, axis=0)) > 290


def test_oracle_of_the_maze_takes_the_shortest_path() -> None:
    world = make_vector(30, "maze", "point", threads=1)
    outcome = run_episodes(world, expert_actions, range(30), needs_observation=False)
    walls, goals = mazes(world.contexts[:, 0])
    best = [shortest_path(graph(w), directed=False, indices=START)[g] for w, g in zip(walls, goals)]
    np.testing.assert_array_equal(outcome.lengths, best)
    np.testing.assert_allclose(outcome.returns, 1 - 0.04 * (np.array(best) - 1))


def test_walls_stop_moves_and_are_observed() -> None:
    world = make_vector(200, "maze", "point", threads=1)
    Trials(world, 2)
    seen = world.reset(seed=3)[0]["state"]
    walls, _ = mazes(world.contexts[:, 0])
    right, up = (int(np.flatnonzero(((START, START + d) == PAIRS).all(1))[0]) for d in (5, 1))
    np.testing.assert_array_equal(seen[:, 25:], np.stack([walls[:, right], walls[:, up], *np.ones((2, 200))], 1))
    assert (seen[:, START] == 1).all() and (seen[:, :25].sum(1) == 1).all()
    world.advance(np.zeros((200, 1)), slice(None))
    moved = world.observe(slice(None))["state"]
    np.testing.assert_array_equal(moved[:, :25].argmax(1), np.where(walls[:, right], START, START + 5))
