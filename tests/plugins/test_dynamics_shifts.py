"""Walls and discs: source and target differ in nothing but the obstacle, and rewards are as the formulas say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.sim.gymnasium_ids import make_vector
from studio.sim.rollout import expert_actions, run_episodes

PAIRS = [
    ("point_open", "point_wall", "point_mass"),
    ("point_plane", "point_disc", "point_mass"),
    ("half_cheetah_open", "half_cheetah_wall", "half_cheetah"),
    ("ant_plane", "ant_disc", "ant"),
]
ALL = slice(None)


def world(task: str, body: str, count: int, **more: Any) -> Any:
    return make_vector(count, task, body, threads=1, observation="state", **more)


@pytest.mark.parametrize(("source", "target", "body"), PAIRS)
def test_away_from_the_obstacle_both_are_one_world(source: str, target: str, body: str) -> None:
    one, other = world(source, body, 8), world(target, body, 8)
    assert one.single_observation_space == other.single_observation_space
    assert one.single_action_space == other.single_action_space
    one.reset(seed=5)
    other.reset(seed=5)
    space, rng = one.single_action_space, np.random.default_rng(0)
    for _ in range(4):
        act = rng.uniform(space.low, space.high, one.actions.shape)
        one.advance(act, ALL)
        other.advance(act, ALL)
        np.testing.assert_allclose(one.observe(ALL)["state"], other.observe(ALL)["state"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(one.reward(ALL), other.reward(ALL), rtol=0, atol=1e-6)


@pytest.mark.parametrize("task", [task for source, target, _ in PAIRS for task in (source, target)] + ["point_axes"])
def test_an_episode_is_the_same_beside_any_others(task: str) -> None:
    body = next((body for source, target, body in PAIRS if task in (source, target)), "point_mass")
    many, one = world(task, body, 12), world(task, body, 1)
    many.reset(seed=40)
    one.reset(seed=47)
    space, rng = many.single_action_space, np.random.default_rng(2)
    for _ in range(25):
        act = rng.uniform(space.low, space.high, many.actions.shape)
        many.advance(act, ALL)
        one.advance(act[7:8], ALL)
        np.testing.assert_array_equal(one.observe(ALL)["state"][0], many.observe(ALL)["state"][7])
        assert one.reward(ALL)[0] == many.reward(ALL)[7]


def straight(task: str, act: list[float], steps: int, count: int = 4) -> Any:
    made = world(task, "point_mass", count)
    made.reset(seed=0)
    for _ in range(steps):
        made.advance(np.tile(act, (count, 1)), ALL)
    return made


def test_the_wall_holds_the_point_and_can_be_gone_around() -> None:
    free, held = straight("point_open", [1, 0, 0, 0], 30), straight("point_wall", [1, 0, 0, 0], 30)
    assert (free.bind("qpos")[:, 0] > 1.5).all()
    assert np.abs(held.bind("qpos")[:, 0] + 0.1).max() < 0.02  # its radius and half of the wall before the middle
    for task, most in (("point_open", 26), ("point_wall", 45)):
        made = world(task, "point_mass", 50)
        outcome = run_episodes(made, expert_actions, range(50), needs_observation=False)
        assert outcome.successes.all() and outcome.lengths.max() <= most


def test_the_points_rewards_are_by_hand() -> None:
    act = np.array([[0.5, -1.0, -0.2, 0.4]])
    effort = 0.05 * 0.25 + 0.05 + 0.5 * 0.04 + 0.5 * 0.16
    made = world("point_wall", "point_mass", 1)
    made.reset(seed=1)
    made.advance(act, ALL)
    away = np.hypot(*(made.bind("qpos")[0, :2] - [1, 0]))
    assert made.reward(ALL)[0] == pytest.approx(-away - effort, abs=1e-12)
    made = world("point_disc", "point_mass", 1)
    made.reset(seed=1)
    made.advance(act, ALL)
    assert made.reward(ALL)[0] == pytest.approx(np.hypot(*made.bind("qvel")[0, :2]) - effort, abs=1e-12)


def test_running_along_an_axis_is_paid_by_the_faster_one() -> None:
    made = world("point_axes", "point_mass", 3)
    made.reset(seed=2)
    acts = np.array([[1, 0.2, 0, 0], [0.3, -1, 0.1, 0], [-0.6, 0.6, 0, 0]])
    for _ in range(5):
        made.advance(acts, ALL)
        v = np.abs(made.bind("qvel")[:, :2])
        expected = np.maximum(v[:, 0], 0.8 * v[:, 1]) - (acts**2 * [0.05, 0.05, 0.5, 0.5]).sum(1)
        np.testing.assert_allclose(made.reward(ALL), expected, atol=1e-12)
    assert made.observe(ALL)["state"].shape == (3, 4) and not made.terminated(ALL).any()


def test_a_broken_motor_leaves_the_spare_one() -> None:
    broken = [{"field": "actuator_gain", "parts": "x", "low": 0, "high": 0}]

    def speed(act: list[float], terms: list[dict[str, Any]]) -> float:
        made = world("point_open", "point_mass", 2, randomization=terms)
        made.reset(seed=0)
        for _ in range(15):
            made.advance(np.tile(act, (2, 1)), ALL)
        return float(made.bind("qvel")[0, 0])

    assert speed([1, 0, 0, 0], []) == pytest.approx(1, abs=0.01)
    assert speed([1, 0, 0, 0], broken) == 0
    assert speed([0, 0, 1, 0], broken) == pytest.approx(0.5, abs=0.01) == speed([0, 0, 1, 0], [])


def test_who_runs_on_falls_from_the_disc_and_ends() -> None:
    endless, disc = straight("point_plane", [0.8, 0.6, 0, 0], 40), straight("point_disc", [0.8, 0.6, 0, 0], 24)
    assert not endless.terminated(ALL).any() and np.abs(endless.bind("qpos")[:, 2]).max() < 0.01
    assert disc.terminated(ALL).all() and (np.linalg.norm(disc.bind("qpos")[:, :2], axis=1) > 1.5).all()


def test_an_ant_over_the_edge_falls() -> None:
    made, endless = world("ant_disc", "ant", 2), world("ant_plane", "ant", 2)
    for one in (made, endless):
        one.reset(seed=0)
        qpos = one.bind("qpos").copy()
        qpos[:, 0] = [0.0, 6.0]
        one.set_state(np.arange(2), qpos, one.bind("qvel").copy())
        for _ in range(12):
            one.advance(np.zeros((2, 8)), ALL)
    assert made.terminated(ALL).tolist() == [False, True]
    assert not endless.terminated(ALL).any()


@pytest.mark.parametrize("name", ["ant_plane", "ant_disc"])
def test_the_running_ants_reward_is_the_ants_with_its_speed_in_the_plane(name: str) -> None:
    made = world(name, "ant", 5)
    made.reset(seed=3)
    rng = np.random.default_rng(1)
    for _ in range(6):
        before, act = made.bind("xpos")[:, 1, :2].copy(), rng.uniform(-1, 1, (5, 8))
        made.advance(act, ALL)
        speed = np.linalg.norm(made.bind("xpos")[:, 1, :2] - before, axis=1) * 20
        touching = np.square(np.clip(made.contact_forces(ALL).reshape(5, -1), -1, 1)).sum(1)
        expected = speed + 1 - 0.5 * (act**2).sum(1) - 5e-4 * touching
        np.testing.assert_allclose(made.reward(ALL), expected, atol=1e-9)
    assert made.observe(ALL)["state"].shape[1] == made.model.nq + made.model.nv + 78
    np.testing.assert_array_equal(made.observe(ALL)["state"][:, :2], made.bind("qpos")[:, :2])


def test_the_cheetah_runs_either_way_but_not_through_the_wall() -> None:
    places, rng = {}, np.random.default_rng(0)
    acts = rng.uniform(-1, 1, (40, 3, 6))
    for name in ("half_cheetah_open", "half_cheetah_wall"):
        made = world(name, "half_cheetah", 3)
        made.reset(seed=0)
        qvel = made.bind("qvel").copy()
        qvel[:, 0] = -6  # thrown backward
        made.set_state(np.arange(3), made.bind("qpos").copy(), qvel)
        for act in acts:
            before = made.bind("qpos")[:, 0].copy()
            made.advance(act, ALL)
            v = (made.bind("qpos")[:, 0] - before) * 20
            np.testing.assert_allclose(made.reward(ALL), np.abs(v) - 0.1 * (act**2).sum(1), atol=1e-9)
        places[name] = made.bind("qpos")[:, 0].copy()
    assert places["half_cheetah_open"].max() < -2.5 < -1.5 < places["half_cheetah_wall"].min()
