"""Pushing the block: the expert, what is observed, what is drawn, and that the physics matters."""

from __future__ import annotations

import functools
from typing import Any

import gymnasium
import numpy as np
import pytest

import studio.gym  # noqa: F401  registers the ids
from plugins.tasks.push import FLOOR, TABLE, Push, Size
from studio.experiment import Domain
from studio.registry import Registry
from studio.run.evaluate import evaluate
from studio.sim.domains import resolve
from studio.sim.rollout import run_episodes
from studio.sim.world import World

ROBOTS = ("franka_7dof", "ur5_6dof", "bimanual_14dof", "mobile_3dof")


@functools.cache
def registry() -> Registry:
    return Registry()


def domain(robot: str, **settings: Any) -> Domain:
    return Domain(**{"task": "push", "embodiment": robot, "observation": "goal"} | settings)


def world(robot: str, n: int, **settings: Any) -> World:
    return World(domain(robot, **settings), Push(), registry().get("embodiments", robot), n, 1)


def size(robot: str) -> Size:
    return FLOOR if robot == "mobile_3dof" else TABLE


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_expert_pushes_the_block_onto_the_goal(robot: str) -> None:
    found = evaluate("expert", resolve(domain(robot), registry()), 20, 10_000)
    assert found.score == 1.0


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_expert_finds_back_when_it_is_disturbed(robot: str) -> None:
    w = world(robot, 20)
    rngs = [np.random.default_rng([seed, 7]) for seed in range(20)]

    def act(w: World, ids: np.ndarray, _: Any) -> np.ndarray:
        action = w.expert(ids)
        return np.clip(action + np.stack([rngs[i].normal(0, 0.3, action.shape[1]) for i in ids]), -1, 1)

    assert run_episodes(w, act, range(500, 520), needs_observation=False).successes.mean() >= 0.9


@pytest.mark.parametrize("robot", ["ur5_6dof", "mobile_3dof"])
def test_the_expert_recovers_when_the_block_is_moved_in_mid_push(robot: str) -> None:
    w = world(robot, 8)
    moved = {"done": False}

    def act(w: World, ids: np.ndarray, _: Any) -> np.ndarray:
        if not moved["done"] and w.steps[0] == 10:
            at = int(w.model.joint("task/block").qposadr[0])
            w.bind("qpos")[ids, at + 1] += 0.5 * size(robot).half
            moved["done"] = True
        return w.expert(ids)

    outcome = run_episodes(w, act, range(8), needs_observation=False)
    assert moved["done"] and outcome.successes.mean() >= 7 / 8


@pytest.mark.parametrize("robot", ROBOTS)
def test_observation_reward_and_what_is_drawn(robot: str) -> None:
    w = world(robot, 32)
    seen, _ = w.reset(seed=3)
    assert w.observation_space.contains(seen) and seen["goal"].shape == (32, 6)
    block, goal = seen["goal"][:, :3], seen["goal"][:, 3:]
    np.testing.assert_allclose(block[:, 2], size(robot).half, atol=1e-6)
    apart = np.linalg.norm((block - goal)[:, :2], axis=1)
    low, high = size(robot).away
    assert np.all((apart > low - 1e-6) & (apart < high + 1e-6)) and low > size(robot).near
    tools = w.end_effectors(np.arange(32))
    nearest = np.linalg.norm(tools - block[:, None], axis=-1).min(1)
    np.testing.assert_allclose(w.reward(np.arange(32)), -nearest - apart, atol=1e-5)
    assert not w.success(np.arange(32)).any()
    if robot == "bimanual_14dof":
        assert (
            np.all(np.sign(block[:, 1]) == np.sign(goal[:, 1])) and (block[:, 1] > 0).any() and (block[:, 1] < 0).any()
        )


def test_only_the_arm_on_the_goals_side_moves() -> None:
    w = world("bimanual_14dof", 16)
    w.reset(seed=0)
    action = w.expert(np.arange(16)).reshape(16, 2, 3)
    left = w.mocap()[:, 0, 1] > 0
    assert not action[left, 0].any() and not action[~left, 1].any()
    assert action[left, 1].any(1).all() and action[~left, 0].any(1).all()


def test_a_seed_gives_the_same_episode_whatever_runs_beside_it() -> None:
    def run(seeds: list[int]) -> np.ndarray:
        w = world("franka_7dof", len(seeds))
        ids = np.arange(len(seeds))
        w.reset_envs(ids, seeds)
        for _ in range(15):
            w.advance(w.expert(ids), ids)
        return w.bind("qpos").copy()

    alone, among = run([42]), run([7, 42, 9])
    assert np.array_equal(alone[0], among[1])
    assert not np.array_equal(among[0], among[1])


@pytest.mark.parametrize("field,low,high", [("friction", 0.2, 3.0), ("mass", 0.2, 40.0)])
def test_the_blocks_friction_and_mass_change_where_it_goes(field: str, low: float, high: float) -> None:
    ends = []
    for value in (low, high):
        w = world("franka_7dof", 1, randomization=[{"field": field, "low": value, "high": value, "parts": "block"}])
        w.reset_envs(np.arange(1), [5])
        for _ in range(14):
            w.advance(w.expert(np.arange(1)), np.arange(1))
        ends.append(w.task.goal(w, np.arange(1))[0, :3])
    assert np.linalg.norm(ends[0] - ends[1]) > 1e-3


def test_a_hand_that_pushes_is_closed() -> None:
    w = world("franka_7dof", 1)
    w.reset_envs(np.arange(1), [0])
    fingers = [int(w.model.joint(f"finger_joint{i}").qposadr[0]) for i in (1, 2)]
    w.advance(w.expert(np.arange(1)), np.arange(1))
    assert np.all(w.bind("qpos")[0, fingers] < 1e-3)
    assert w.single_action_space.shape == (3,)


def test_push_refuses_robots_without_a_tool() -> None:
    problems = Push().check(registry().get("embodiments", "half_cheetah"))
    assert [p.field for p in problems] == ["embodiment"] and problems[0].remedy
    env = gymnasium.make("studio/Push-ur5_6dof-v0")
    seen, _ = env.reset(seed=1)
    assert seen["goal"].shape == (6,) and env.observation_space.contains(seen)
    env.close()
