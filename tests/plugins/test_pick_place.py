"""Picking up and putting down: the expert, the gripper, and what a policy and a dataset make of it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import studio.gym  # noqa: F401  registers the ids
from plugins.formats.robomimic import Robomimic
from plugins.policies.token_transformer import TokenTransformer
from plugins.tasks.pick_place import AWAY, HALF, NEAR, PickPlace
from studio.contracts import EmbodimentSpec
from studio.data.collect import collect
from studio.data.datasets import cache_path, demonstrations
from studio.errors import DataError
from studio.experiment import Domain, Experiment
from studio.registry import Registry
from studio.run.check import check
from studio.run.evaluate import evaluate
from studio.sim.domains import resolve
from studio.sim.rollout import policy_actions, run_episodes
from studio.sim.world import World
from tests import tiny

ROBOTS = ("franka_7dof", "bimanual_14dof")
ONE = np.arange(1)


@functools.cache
def registry() -> Registry:
    return Registry()


def domain(robot: str, **settings: Any) -> Domain:
    return Domain(**{"task": "pick_place", "embodiment": robot, "observation": "goal"} | settings)


def world(robot: str, n: int, **settings: Any) -> World:
    return World(domain(robot, **settings), PickPlace(), registry().get("embodiments", robot), n, 1)


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("control", ["end_effector", "joint"])
def test_the_expert_puts_the_block_on_the_goal(robot: str, control: str) -> None:
    found = evaluate("expert", resolve(domain(robot, control=control), registry()), 20, 10_000)
    assert found.score == 1.0


def test_the_expert_finds_back_when_it_is_disturbed() -> None:
    w = world("franka_7dof", 20)
    rngs = [np.random.default_rng([seed, 7]) for seed in range(20)]

    def act(w: World, ids: np.ndarray, _: Any) -> np.ndarray:
        action = w.expert(ids)
        return np.clip(action + np.stack([rngs[i].normal(0, 0.3, action.shape[1]) for i in ids]), -1, 1)

    assert run_episodes(w, act, range(500, 520), needs_observation=False).successes.mean() >= 0.9


def test_the_block_is_lifted_and_let_go_of() -> None:
    w = world("franka_7dof", 1)
    w.reset_envs(ONE, [3])
    heights, openings = [], []
    while not (w.terminated(ONE)[0] or w.truncated(ONE)[0]):
        w.advance(w.expert(ONE), ONE)
        heights.append(w.task.goal(w, ONE)[0, 2])
        openings.append(w.task.observe(w, ONE)["gripper_pos"][0, 0])
    carried = np.array(heights) > HALF + 0.03
    assert w.success(ONE)[0] and carried.any()
    assert np.all(np.abs(np.array(openings)[carried] - HALF) < 0.006)  # around the block
    assert openings[-1] > HALF + 0.006 and abs(heights[-1] - HALF) < 0.006


@pytest.mark.parametrize("control", ["end_effector", "joint"])
def test_a_component_of_each_arm_opens_and_closes_its_hand(control: str) -> None:
    w = world("bimanual_14dof", 1, control=control)
    width = w.single_action_space.shape[0]
    slots = PickPlace().slots(w.embodiment, control)
    assert width == len(slots) == {"end_effector": 8, "joint": 16}[control]
    assert list(slots) == sorted(set(slots))  # as a policy's padding needs them
    hands = [slots.index(limb.gripper_slot) for limb in w.embodiment.limbs]
    w.reset_envs(ONE, [0])
    action = np.zeros((1, width))
    for right, left in ((-1.0, 1.0), (1.0, -1.0), (0.0, 0.0)):
        action[0, hands] = right, left
        for _ in range(8):
            w.advance(action, ONE)
        found = w.task.observe(w, ONE)["gripper_pos"][0]
        np.testing.assert_allclose(found, [0.02 * (right + 1), 0.02 * (left + 1)], atol=1.5e-3)


def test_a_block_in_the_hand_over_the_goal_is_no_success() -> None:
    w = world("franka_7dof", 1)
    w.reset_envs(ONE, [3])
    qpos, at = w.bind("qpos"), int(w.model.joint("task/block").qposadr[0])
    tool = w.end_effectors(ONE)[0, 0]
    w.mocap()[0, 0, :2] = tool[:2]
    qpos[0, at : at + 3] = tool
    assert not w.success(ONE)[0]  # lifted
    qpos[0, at + 2] = HALF
    assert w.success(ONE)[0]  # on the table, the hand far above it
    qpos[0, at] += NEAR + 0.01
    assert not w.success(ONE)[0]


@pytest.mark.parametrize("robot", ROBOTS)
def test_observation_and_what_is_drawn(robot: str) -> None:
    w = world(robot, 32)
    seen, _ = w.reset(seed=3)
    hands = len(w.embodiment.limbs)
    assert w.observation_space.contains(seen)
    assert seen["goal"].shape == (32, 6) and seen["gripper_pos"].shape == (32, hands)
    apart = np.linalg.norm((seen["goal"][:, :3] - seen["goal"][:, 3:])[:, :2], axis=1)
    assert np.all((apart > AWAY[0] - 1e-6) & (apart < AWAY[1] + 1e-6)) and AWAY[0] > NEAR
    assert not w.success(np.arange(32)).any()


def test_a_seed_gives_the_same_episode_whatever_runs_beside_it() -> None:
    def run(seeds: list[int]) -> np.ndarray:
        w = world("franka_7dof", len(seeds))
        ids = np.arange(len(seeds))
        w.reset_envs(ids, seeds)
        for _ in range(18):
            w.advance(w.expert(ids), ids)
        return w.bind("qpos").copy()

    alone, among = run([42]), run([7, 42, 9])
    assert np.array_equal(alone[0], among[1])


@pytest.mark.parametrize("robot", ["ur5_6dof", "mobile_3dof", "hopper"])
def test_what_cannot_grasp_is_refused_in_plain_words(robot: str) -> None:
    problems = check(Experiment(target=Domain(task="pick_place", embodiment=robot)), registry())
    found = [p for p in problems if p.field == "target.embodiment"]
    assert len(found) == 1 and "grasp" in found[0].message and found[0].remedy
    assert f"studio/PickPlace-{robot}-v0" not in gymnasium.registry


def test_policy_learns_the_gripper_from_demonstrations(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TRANSFER_STUDIO_CACHE", str(tmp_path))
    asked = domain("franka_7dof", episodes=4)
    episodes = demonstrations(resolve(asked, registry()), seed=0)
    assert episodes.actions.shape[1] == 4 and set(np.unique(episodes.actions[:, 3])) == {-1.0, 1.0}
    path = tmp_path / "pick.hdf5"
    Robomimic().write(episodes, path)
    read = demonstrations(resolve(asked.changed(dataset=str(path)), registry()), seed=0)
    np.testing.assert_array_equal(read.observations["gripper_pos"], episodes.observations["gripper_pos"])
    assert not check(Experiment(target=asked.changed(dataset=str(path)), source=asked), registry())

    embodiment = registry().get("embodiments", "franka_7dof")
    policy = TokenTransformer(TokenTransformer.Params(**tiny.POLICY), "goal")
    policy.bind([EmbodimentSpec(embodiment, asked.control, read.statistics())])
    assert policy.spaces.action.mean[0, 19] == 0 and policy.spaces.action.std[0, 19] == 1
    first = torch.zeros(len(read.actions), dtype=torch.long)
    back = policy.spaces.native(policy.spaces.actions(torch.as_tensor(read.actions), first))
    torch.testing.assert_close(back, torch.as_tensor(read.actions), atol=1e-5, rtol=0)
    w = world("franka_7dof", 2)
    w.reset_envs(np.arange(2), [0, 1])
    seen = w.observe(np.arange(2))
    assert policy_actions(policy)(w, np.arange(2), seen).shape == (2, 4)
    wide_open = seen | {"gripper_pos": seen["gripper_pos"] - 0.03}
    assert not np.allclose(policy.act(seen)[0], policy.act(wide_open)[0])  # it feels its hand


@pytest.mark.parametrize("layout", ["semantic", "front"])
@pytest.mark.parametrize("control", ["end_effector", "joint"])
def test_a_policy_of_two_arms_gives_back_what_it_learned(control: str, layout: str) -> None:
    asked, embodiment = domain("bimanual_14dof", control=control), registry().get("embodiments", "bimanual_14dof")
    episodes = collect(asked, PickPlace(), embodiment, 2, 0)
    policy = TokenTransformer(TokenTransformer.Params(**tiny.POLICY, layout=layout), "goal")
    policy.bind([EmbodimentSpec(embodiment, asked.control, episodes.statistics())])
    actions = torch.as_tensor(episodes.actions)
    first = torch.zeros(len(actions), dtype=torch.long)
    back = policy.spaces.native(policy.spaces.actions(actions, first))
    torch.testing.assert_close(back, actions, atol=1e-5, rtol=0)
    seen = {key: value[:3] for key, value in episodes.observations.items()}
    assert policy.act(seen)[0].shape == (3, actions.shape[1])


def test_tasks_of_one_version_keep_their_demonstrations_apart() -> None:
    pick = domain("franka_7dof")
    one, other = (cache_path(resolve(asked, registry()), 0) for asked in (pick, pick.changed(task="push")))
    assert one != other


def test_a_dataset_without_the_hands_openings_is_refused(tmp_path: Path) -> None:
    episodes = collect(domain("franka_7dof"), PickPlace(), registry().get("embodiments", "franka_7dof"), 1, 0)
    del episodes.observations["gripper_pos"]
    path = tmp_path / "pick.hdf5"
    Robomimic().write(episodes, path)
    with pytest.raises(DataError, match="gripper_pos"):
        demonstrations(resolve(domain("franka_7dof", episodes=1, dataset=str(path)), registry()), seed=0)


@pytest.mark.parametrize("task", ["push", "pick_place"])
def test_demonstrations_with_images_hold_the_whole_state(task: str) -> None:
    asked = Domain(task=task, embodiment="franka_7dof", image_size=64)
    kind = registry().get("tasks", task)
    episodes = collect(asked, kind(), registry().get("embodiments", "franka_7dof"), 2, 0)
    assert episodes.observations["image"].shape[1:] == (64, 64, 3)
    w = World(asked, kind(), registry().get("embodiments", "franka_7dof"), 1, 1)
    assert episodes.states is not None and episodes.states.shape[1] == w.model.nq + 3 * w.model.nmocap
    first = episodes.observations["image"][0].astype(int)
    red = (first[..., 0] > 120) & (first[..., 1] < 70) & (first[..., 2] < 70)
    green = (first[..., 1] > first[..., 0] + 25) & (first[..., 1] > first[..., 2] + 15)
    assert red.sum() >= 2 and green.sum() >= 4  # block and goal are seen
