"""Gridworld: what happens is distributed as its table says, with and without the wall."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from studio.registry import Registry
from studio.sim.gymnasium_ids import make_vector
from studio.sim.rollout import expert_actions, run_episodes

TASKS = ("gridworld", "gridworld_wall")
ALL = slice(None)


@pytest.mark.parametrize("name", TASKS)
def test_transitions_are_frequent_as_the_table_says(name: str) -> None:
    """Pearson's chi-square over every (s, a), 400 draws of each; and what has no probability never happens."""
    world = make_vector(25 * 5 * 400, name, "point", threads=1)
    table = world.task.transitions()
    np.testing.assert_allclose(table.sum(2), 1, atol=1e-12)
    world.reset(seed=7)
    s, a = np.repeat(np.arange(25), 2000), np.tile(np.arange(5), 10_000)
    world.bind("qpos")[:] = 0.2 * (np.stack(np.divmod(s, 5), 1) - 2)
    np.testing.assert_array_equal(world.observe(ALL)["state"].argmax(1), s)
    world.advance(a[:, None].astype(float), ALL)
    count = np.zeros_like(table)
    np.add.at(count, (s, a, world.observe(ALL)["state"].argmax(1)), 1)
    expected, possible = 400 * table, table > 0
    assert count[~possible].sum() == 0 and expected[possible].min() >= 16
    freedom = possible.sum() - 125
    found = ((count - expected)[possible] ** 2 / expected[possible]).sum()
    assert 1e-4 < stats.chi2.sf(found, freedom) < 1 - 1e-4


def test_the_wall_changes_only_the_moves_across_it() -> None:
    registry = Registry()
    plain, walled = (registry.get("tasks", name)().transitions() for name in TASKS)
    changed = {(s, a) for s, a in zip(*np.nonzero(np.abs(plain - walled).sum(2) > 1e-12), strict=True)}
    beside = {column * 5 + row for column in (1, 2) for row in range(4)}
    assert {s for s, _ in changed} == beside
    assert plain[1 * 5 + 0, 0, 2 * 5 + 0] == pytest.approx(0.84) and walled[1 * 5 + 0, 0, 2 * 5 + 0] == 0
    assert walled[1 * 5 + 0, 0, 1 * 5 + 0] == pytest.approx(0.8 + 0.04 + 0.04 + 0.04)  # right, slips right, down, stay
    assert walled[1 * 5 + 4, 0, 2 * 5 + 4] == pytest.approx(0.84)


@pytest.mark.parametrize("name,fewest", [("gridworld", 3), ("gridworld_wall", 7)])
def test_gridworld_expert_takes_a_shortest_path(name: str, fewest: int) -> None:
    world = make_vector(200, name, "point", threads=1, observation="goal")
    seen = world.reset(seed=0)[0]
    cells = seen["state"].argmax(1)
    assert set(cells) == set(range(10)) and np.allclose(seen["goal"], [0.4, -0.4])
    outcome = run_episodes(world, expert_actions, range(200), needs_observation=False)
    assert outcome.successes.mean() > 0.98 and outcome.lengths.min() == fewest
    won = outcome.successes
    np.testing.assert_array_equal(outcome.returns[won], 1 - outcome.lengths[won])


@pytest.mark.parametrize("name", TASKS)
def test_an_episode_is_the_same_beside_any_others(name: str) -> None:
    many, one = make_vector(30, name, "point", threads=2), make_vector(1, name, "point", threads=1)
    many.reset_envs(np.arange(30), range(500, 530))
    acts = np.random.default_rng(0).integers(5, size=(20, 30, 1)).astype(float)
    seen = []
    for t in range(20):
        many.advance(acts[t], ALL)
        seen.append(many.observe(ALL)["state"])
    for i in (0, 13, 29):
        one.reset_envs(np.zeros(1, int), [500 + i])
        for t in range(20):
            one.advance(acts[t, i : i + 1], np.zeros(1, int))
            np.testing.assert_array_equal(one.observe(ALL)["state"][0], seen[t][i])


def test_the_goal_may_be_moved_to_another_cell() -> None:
    world = make_vector(2, "gridworld", "point", threads=1, observation="goal")
    world.reset(seed=0)
    world.mocap()[:, 0, :2] = world.bind("qpos")[0] + 0.05  # by hand, not exactly in the middle
    assert world.success(ALL)[0] and world.reward(ALL)[0] == 0
