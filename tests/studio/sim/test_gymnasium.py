"""Worlds against Gymnasium: its own tasks step by step, its checker, and a learner that knows nothing of us."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import studio.gym  # noqa: F401  registers the ids
from studio.contracts import Task
from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.gymnasium_ids import NAMESPACE, default_domain, make_vector
from studio.sim.world import World

REGISTRY = Registry()
NAMES = (
    "Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup", "InvertedDoublePendulum", "InvertedPendulum",
    "Pusher", "Reacher", "Swimmer", "Walker2d",
)  # fmt: skip
VARIED = [
    {"field": "friction", "low": 0.5, "high": 1.5},
    {"field": "mass", "low": 0.8, "high": 1.2},
    {"field": "gravity", "low": 0.9, "high": 1.1, "resample": "interval", "interval": 0.2},
    {"field": "damping", "low": 0.9, "high": 1.1, "resample": "once"},
    {"field": "sensor_noise", "low": 0.01, "high": 0.02},
]


@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_steps_are_gymnasiums(name: str) -> None:
    theirs = gymnasium.make(f"{name}-v5").unwrapped
    ours = gymnasium.make(f"{NAMESPACE}/{name}-v5").unwrapped
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    rng = np.random.default_rng(0)
    ended = True
    for step in range(1000):
        if ended:
            theirs.reset(seed=step)
            ours.reset(seed=step)
            ours.set_state(theirs.data.qpos, theirs.data.qvel)
        action = rng.uniform(theirs.action_space.low, theirs.action_space.high).astype(np.float32)
        wanted, reward, terminated, *_ = theirs.step(action)
        seen, own_reward, own_terminated, *_ = ours.step(action)
        np.testing.assert_array_equal(seen, wanted)
        assert own_reward == pytest.approx(reward, abs=1e-6)  # Gymnasium squares float32 actions
        assert own_terminated == terminated
        ended = terminated or step % 250 == 249
    theirs.close()
    ours.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_start_is_distributed_as_gymnasiums(name: str) -> None:
    """Mean and spread of each coordinate at the start, over 400 episodes, within five standard errors."""
    theirs = gymnasium.make(f"{name}-v5").unwrapped
    states = []
    for seed in range(400):
        theirs.reset(seed=seed)
        states.append(np.concatenate([theirs.data.qpos, theirs.data.qvel]))
    envs = gymnasium.make_vec(f"{NAMESPACE}/{name}-v5", 400)
    envs.reset(seed=0)
    own = np.concatenate([envs.unwrapped.bind("qpos"), envs.unwrapped.bind("qvel")], 1)
    wanted = np.stack(states)
    spread = wanted.std(0)
    np.testing.assert_array_less(np.abs(own.mean(0) - wanted.mean(0)), 5 * spread * np.sqrt(2 / 400) + 1e-12)
    np.testing.assert_allclose(own.std(0), spread, rtol=0.25, atol=1e-12)


def ids() -> list[str]:
    return sorted(id for id in gymnasium.registry if id.startswith(f"{NAMESPACE}/"))


def test_every_task_has_its_ids_and_only_where_it_makes_sense() -> None:
    assert {f"{NAMESPACE}/{name}-v5" for name in NAMES} <= set(ids())
    assert f"{NAMESPACE}/Reach-franka_7dof-v0" in ids() and f"{NAMESPACE}/PointNavigation-v0" in ids()
    assert not any("Reach-hopper" in id for id in ids())


@pytest.mark.parametrize(
    "id",
    [
        "Hopper-v5", "Ant-v5", "PointNavigation-v0", "Reach-ur5_6dof-v0", "Reach-mobile_3dof-v0", "BitFlip-bits_8-v0",
        "GridworldWall-v0", "PointDisc-v0", "AntDirection-v0", "HopperVelocity-v0",
    ],
)  # fmt: skip
def test_gymnasiums_checker_is_content(id: str) -> None:
    env = gymnasium.make(f"studio.gym:{NAMESPACE}/{id}")
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def world(task: str, count: int, threads: int) -> World:
    kind: type[Task] = REGISTRY.get("tasks", task)
    body = REGISTRY.get("embodiments", task)
    plan: Domain = default_domain(kind, body, randomization=VARIED)
    return World(plan, task_of(plan, REGISTRY), embodiment_of(plan, REGISTRY), count, threads)


@pytest.mark.parametrize("task", ["half_cheetah", "ant", "humanoid", "hopper"])
def test_a_seeds_trajectory_depends_on_nothing_beside_it(task: str) -> None:
    def roll(count: int, threads: int, sim: int) -> np.ndarray:
        made = world(task, count, threads)
        every = np.arange(count)
        # the moment "once" belongs to the simulation: the same one is watched in every world
        seeds = [700 + i for i in every]
        seeds[sim] = 42
        seen = []
        for _ in range(2):  # the second episode must not remember the first
            made.reset_envs(every, seeds)
            rngs = [np.random.default_rng([s, 3]) for s in seeds]
            for _ in range(30):
                action = np.stack([r.uniform(-0.4, 0.4, made.single_action_space.shape) for r in rngs])
                made.advance(action, slice(None))
                seen.append(np.r_[made.observe(every)["state"][sim], made.reward(every)[sim]])
        return np.stack(seen)

    wanted = roll(1, 1, 0)
    np.testing.assert_array_equal(wanted[:30], wanted[30:])
    for count, threads in ((1, 2), (5, 1), (6, 2), (9, 4)):
        np.testing.assert_array_equal(roll(count, threads, 0), wanted, err_msg=f"{count=} {threads=}")


def test_autoreset_is_same_step_with_the_final_observation() -> None:
    envs = gymnasium.make_vec(f"{NAMESPACE}/Hopper-v5", 8)
    single = gymnasium.make(f"{NAMESPACE}/Hopper-v5")
    first, _ = envs.reset(seed=5)
    np.testing.assert_array_equal(first[0], single.reset(seed=5)[0])
    rng = np.random.default_rng(1)
    for _ in range(200):
        action = rng.uniform(-1, 1, (8, 3)).astype(np.float32)
        seen, reward, terminated, _, info = envs.step(action)
        wanted, single_reward, single_terminated, *_ = single.step(action[0])
        assert reward[0] == single_reward and terminated[0] == single_terminated
        if terminated[0]:
            np.testing.assert_array_equal(info["final_obs"][0], wanted)
            assert abs(seen[0][0] - 1.25) < 0.01  # the new episode stands
            return
        np.testing.assert_array_equal(seen[0], wanted)
    pytest.fail("random actions never made the hopper fall")


def test_time_runs_out_without_termination() -> None:
    envs = gymnasium.make_vec(f"{NAMESPACE}/Reacher-v5", 2)
    envs.reset(seed=0)
    for step in range(50):
        *_, terminated, truncated, info = envs.step(np.zeros((2, 2), np.float32))
        assert truncated.all() == (step == 49) and not terminated.any()
    assert info["_final_obs"].all()


def test_diverged_simulation_is_reset_and_counted() -> None:
    count, bad = 1024, 77
    envs: World = world("half_cheetah", count, 2)
    alone: World = world("half_cheetah", count, 2)
    envs.reset(seed=0)
    alone.reset(seed=0)
    action = np.full((count, 6), 0.3, np.float32)
    for made in (envs, alone):
        made.step(action)
    envs.bind("qvel")[bad] = np.nan
    seen, reward, terminated, truncated, info = envs.step(action)
    wanted, other_reward, *_ = alone.step(action)
    others = np.arange(count) != bad
    np.testing.assert_array_equal(seen[others], wanted[others])
    np.testing.assert_array_equal(reward[others], other_reward[others])
    assert truncated[bad] and not terminated[bad] and info["diverged"][bad] and info["diverged"].sum() == 1
    assert reward[bad] == 0 and np.isfinite(seen).all() and envs.diverged == 1
    seen, reward, *_ = envs.step(action)
    assert np.isfinite(seen).all() and np.isfinite(reward).all() and envs.diverged == 1


@pytest.mark.parametrize("robot", ["half_cheetah", "point", "franka_7dof", "mobile_3dof"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_action_ends_the_episode_without_reward(robot: str, value: float) -> None:
    """Of a command that is no number the physics sees none of; what an endless one costs is no number."""
    task = {"point": "point_navigation", "half_cheetah": "half_cheetah"}.get(robot, "reach")
    envs = make_vector(3, task, robot, threads=1)
    envs.reset(seed=0)
    actions = np.zeros((3, envs.actions.shape[1]))
    actions[1] = value
    seen, reward, terminated, truncated, info = envs.step(actions)
    lost = bool(np.isnan(value)) or robot == "half_cheetah"  # the others pay nothing for an action, and clip it
    assert np.isfinite(reward).all() and truncated.tolist() == [False, lost, False] and envs.diverged == lost
    if lost:
        assert info["diverged"].tolist() == [False, True, False] and reward[1] == 0 and not terminated.any()
    seen, reward, _, truncated, _ = envs.step(np.zeros_like(actions))
    parts = seen.values() if isinstance(seen, dict) else [seen]
    assert all(np.isfinite(part).all() for part in parts) and np.isfinite(reward).all()
    assert not truncated.any() and envs.diverged == lost
    envs.close()


@pytest.mark.slow
def test_stable_baselines_learns_on_our_ids() -> None:
    """PPO on the cart and pole, 5,000 steps: from about 25 steps an episode to several times as many."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor

    env = Monitor(gymnasium.make(f"{NAMESPACE}/InvertedPendulum-v5"))
    learner = PPO("MlpPolicy", env, seed=0, n_steps=512, device="cpu", learning_rate=1e-3)
    before, _ = evaluate_policy(learner, env, 5, deterministic=False)
    learner.learn(5_000)
    after, _ = evaluate_policy(learner, env, 5, deterministic=False)
    assert after > 3 * before, (before, after)
    env.close()


def test_a_term_of_what_the_model_does_not_have_is_refused() -> None:
    nothing = {"field": "mass", "low": 0.5, "high": 2.0, "parts": "nothing*"}
    with pytest.raises(StudioError, match=r"nothing is named 'nothing\*'"):
        gymnasium.make_vec(f"{NAMESPACE}/Hopper-v5", 4, randomization=[nothing])


def test_single_world_renders_its_episodes_look() -> None:
    look = {"field": "light_intensity", "low": 0.3, "high": 0.3}
    env = gymnasium.make(
        f"{NAMESPACE}/BitFlip-bits_8-v0", render_mode="rgb_array", size=64, image_size=64, randomization=[look]
    ).unwrapped
    env.reset(seed=1)
    world, ids = env.world, np.zeros(1, int)
    straight = env.render()
    np.testing.assert_array_equal(straight, world.images(ids)[0])
    world.randomize(ids, {"light_intensity": np.ones(1)})
    bright = env.render()
    assert bright.mean() > 1.5 * straight.mean()
    world.bind("mocap_quat")[0] = [np.cos(0.4), np.sin(0.4), 0, 0]
    assert not np.array_equal(env.render(), bright)
    np.testing.assert_array_equal(env.render(), world.images(ids)[0])
    env.close()
