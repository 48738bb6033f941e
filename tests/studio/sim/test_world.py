"""Worlds: determinism, the expert, what a policy sees, and Gymnasium's vector interface."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import Registry
from studio.run.evaluate import evaluate
from studio.sim.domains import embodiment_of, resolve, task_of
from studio.sim.world import World

ROBOTS = ("franka_7dof", "ur5_6dof", "bimanual_14dof", "mobile_3dof")
REGISTRY = Registry()
VARIED = [{"field": "friction", "low": 0.5, "high": 1.5}, {"field": "mass", "low": 0.8, "high": 1.2}]


def make(num_envs: int = 1, threads: int = 1, **domain: Any) -> World:
    plan = Domain(**({"embodiment": "ur5_6dof", "observation": "goal", "image_size": 32} | domain))
    return World(plan, task_of(plan, REGISTRY), embodiment_of(plan, REGISTRY), num_envs, threads)


def trajectory(world: World, sim: int, seed: int, steps: int = 5) -> np.ndarray:
    """qpos after every step of one simulation, all others running with seeds and actions of their own."""
    ids = np.arange(world.num_envs)
    seeds = [500 + i for i in ids]
    seeds[sim] = seed
    world.reset_envs(ids, seeds)
    rngs = [np.random.default_rng([s, 7]) for s in seeds]
    states = []
    for _ in range(steps):
        actions = np.stack([rng.uniform(-1, 1, world.single_action_space.shape) for rng in rngs])
        world.advance(actions, ids)
        states.append(np.concatenate([part.ravel() for part in world.state(sim)]))
    return np.stack(states)


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_seeds_trajectory_depends_on_nothing_beside_it(robot: str) -> None:
    wanted = trajectory(make(1, 1, embodiment=robot, randomization=VARIED), 0, 42)
    assert np.ptp(wanted, axis=0).max() > 0.01
    for num_envs, threads, sim in ((1, 2, 0), (5, 1, 3), (5, 2, 4), (9, 4, 0)):
        world = make(num_envs, threads, embodiment=robot, randomization=VARIED)
        np.testing.assert_array_equal(trajectory(world, sim, 42), wanted, err_msg=f"{num_envs=} {threads=}")
        np.testing.assert_array_equal(trajectory(world, sim, 42), wanted, err_msg="the same world a second time")
    assert not np.array_equal(trajectory(make(1, 1, embodiment=robot, randomization=VARIED), 0, 43), wanted)


def test_world_refuses_a_robot_that_cannot_do_the_task() -> None:
    with pytest.raises(StudioError, match=r"^embodiment: 'Point navigation' is not for 'point_mass'\. Choose point\.$"):
        make(embodiment="point_mass", task="point_navigation", control="motor", observation="state")


def test_advance_leaves_other_simulations_as_they_are() -> None:
    world = make(3)
    world.reset_envs(np.arange(3), [0, 1, 2])
    before = [world.state(i)[0] for i in range(3)]
    world.advance(np.ones((1, 3)), np.array([1]))
    assert np.array_equal(world.state(0)[0], before[0]) and np.array_equal(world.state(2)[0], before[2])
    assert not np.array_equal(world.state(1)[0], before[1])
    assert world.steps.tolist() == [0, 1, 0]


@pytest.mark.parametrize("control", ["end_effector", "joint"])
@pytest.mark.parametrize("robot", ROBOTS)
def test_the_expert_succeeds_in_at_least_99_of_100_episodes(robot: str, control: str) -> None:
    domain = Domain(embodiment=robot, control=control, observation="goal")
    found = evaluate("expert", resolve(domain, REGISTRY), 100, 10_000)
    assert found.score >= 0.99
    assert found.low <= found.score <= found.high


@pytest.mark.parametrize("robot", ROBOTS)
def test_doing_nothing_or_anything_does_not_succeed(robot: str) -> None:
    world = make(20, embodiment=robot)
    ids = np.arange(20)
    for scale in (0.0, 1.0):
        world.reset_envs(ids, range(20))
        rng = np.random.default_rng(0)
        reached = np.zeros(20, bool)
        for _ in range(world.task.horizon):
            world.advance(scale * rng.uniform(-1, 1, (20, *world.single_action_space.shape)), ids)
            reached |= world.task.success(world, ids)
        assert reached.mean() < 0.2


@pytest.mark.parametrize("robot", ROBOTS)
def test_an_action_moves_the_end_effector_by_a_step(robot: str) -> None:
    world = make(1, embodiment=robot)
    ids = np.zeros(1, int)
    world.reset_envs(ids, [3])
    moves = 4
    before = world.end_effectors(ids)[0, 0]
    action = np.zeros((1, *world.single_action_space.shape))
    action[0, 0] = 1.0
    yaw = world.yaw(ids)[0]
    for _ in range(moves):
        world.advance(action, ids)
    for _ in range(4):  # until the servos have come to rest
        world.advance(np.zeros_like(action), ids)
    moved = world.end_effectors(ids)[0, 0] - before
    if world.embodiment.kind == "base":
        wanted = 2 * world.task.step_size * moves * np.array([np.cos(yaw), np.sin(yaw), 0])
    else:
        wanted = world.task.step_size * moves * np.array([1.0, 0, 0])
    np.testing.assert_allclose(moved, wanted, atol=0.3 * world.task.step_size * moves)


@pytest.mark.parametrize("robot", ROBOTS)
def test_an_arm_that_is_asked_for_nothing_keeps_still(robot: str) -> None:
    world = make(1, embodiment=robot)
    ids = np.zeros(1, int)
    world.reset_envs(ids, [3])
    before = world.end_effectors(ids).copy()
    for _ in range(10):
        world.advance(np.zeros((1, *world.single_action_space.shape)), ids)
    assert np.abs(world.end_effectors(ids) - before).max() < 0.01


def test_image_observation_never_holds_the_goals_coordinates() -> None:
    world = make(2, observation="image")
    observation, _ = world.reset(seed=5)
    goal = world.task.goal(world, np.arange(2)).astype(np.float32)
    assert set(observation) == {"image", "joint_pos", "eef_pos"} == set(world.single_observation_space.spaces)
    world.mocap()[:] += 0.05  # the balls move, the robot does not
    moved = world.observe(np.arange(2))
    for key in ("joint_pos", "eef_pos"):
        np.testing.assert_array_equal(moved[key], observation[key])
        flat = observation[key].ravel()
        assert not any(np.isclose(flat, value, atol=1e-6).any() for value in goal.ravel()), key
    assert not np.array_equal(moved["image"], observation["image"])
    world.close()


def test_goal_observation_holds_them() -> None:
    world = make(2)
    observation, _ = world.reset(seed=5)
    np.testing.assert_allclose(observation["goal"], world.task.goal(world, np.arange(2)), atol=1e-6)


@pytest.mark.parametrize("kind", ["image", "goal"])
@pytest.mark.parametrize("robot", ROBOTS)
def test_spaces_contain_what_reset_and_step_give(robot: str, kind: str) -> None:
    camera = "top" if robot == "mobile_3dof" else "front"
    world = make(2, embodiment=robot, observation=kind, camera=camera)
    observation, info = world.reset(seed=0)
    assert isinstance(world, gymnasium.vector.VectorEnv) and isinstance(info, dict)
    assert world.observation_space.contains(observation)
    world.action_space.seed(0)
    actions = world.action_space.sample()
    assert world.action_space.contains(actions)
    observation, reward, terminated, truncated, _ = world.step(actions)
    assert world.observation_space.contains(observation)
    assert (reward.shape, reward.dtype.kind) == ((2,), "f")
    assert terminated.dtype == truncated.dtype == np.bool_
    np.testing.assert_allclose(
        reward, -np.linalg.norm(world.mocap()[:, :1] - world.end_effectors(np.arange(2)), axis=-1).min(1)
    )
    world.close()


def test_autoreset_in_the_same_step_with_the_final_observation() -> None:
    world = make(3)
    assert world.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    ids = np.arange(3)
    world.reset(seed=100)
    ended = set()
    for step in range(1, world.task.horizon + 1):
        actions = world.expert(ids)
        actions[2] = 0  # this one never arrives
        before = world.task.goal(world, ids)
        observation, _, terminated, truncated, info = world.step(actions)
        for i in np.flatnonzero(terminated | truncated):
            final = info["final_obs"][i]
            assert info["_final_obs"][i]
            np.testing.assert_allclose(final["goal"], before[i], atol=1e-6)  # the episode that ended
            assert not np.allclose(observation["goal"][i], before[i])  # the one that begins
            assert world.steps[i] == 0
            if terminated[i]:
                assert np.linalg.norm(final["eef_pos"] - final["goal"]) < 0.04
                assert info["success"][i] and not truncated[i]
            ended.add((int(i), bool(truncated[i]), step if truncated[i] else 0))
    assert {(0, False, 0), (1, False, 0), (2, True, world.task.horizon)} <= ended


def test_reset_with_a_seed_repeats_and_without_goes_on() -> None:
    world = make(2)
    first = world.reset(seed=7)[0]["goal"].copy()
    second = world.reset()[0]["goal"].copy()
    again = world.reset(seed=7)[0]["goal"].copy()
    chosen = world.reset(seed=[8, None])[0]["goal"]
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(chosen[0], first[1])  # seeds count up from the first
    alike: tuple[Any, ...] = (np.int64(7), (7, 8), np.array([7, 8]))
    for seeds in alike:
        np.testing.assert_array_equal(world.reset(seed=seeds)[0]["goal"], first)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"seed": [1, 2, 3]}, "3 seeds are given for 2 episodes"),
        ({"seed": -1}, "-1 is no seed"),
        ({"seed": [1, 2.5]}, "2.5 is no seed"),
        ({"seed": "seven"}, "'seven' is no seed"),
        ({"seed": 1 << 63}, "is no seed"),
        ({"options": {"reset_mask": np.array([True, False])}}, "no options"),
    ],
    ids=str,
)
def test_a_reset_that_cannot_be_done_as_asked_is_refused_plainly(asked: dict[str, Any], words: str) -> None:
    world = make(2)
    with pytest.raises(StudioError, match=words):
        world.reset(**asked)


def test_actions_of_another_shape_are_refused() -> None:
    world = make(4)
    world.reset(seed=0)
    for shape in ((1, 3), (3,), (4, 2), (4, 3, 1)):
        with pytest.raises(StudioError, match=r"Actions have shape \(.*\); \(4, 3\) is needed"):
            world.step(np.zeros(shape))
    world.step(np.zeros((4, 3), np.float32))
