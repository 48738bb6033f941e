"""Goal relabeling: exact on a buffer made by hand, within an episode, uniform; and goals that are self-generated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from studio.registry import Registry
from studio.rl.collectors.env_runner import EnvRunner
from studio.rl.hindsight import GoalRunner, Goals, Hindsight, HindsightParams, has_goals
from studio.rl.networks.observations import flatten
from studio.rl.replay import Replay
from studio.sim.gymnasium_ids import make_vector
from studio.sim.world import World

GAMMA, LENGTH, ENVS = 0.9, 5, 3
WIDTHS = {"observations": 16, "actions": 1, "rewards": 1, "next_observations": 16, "discounts": 1}


@pytest.fixture(scope="module")
def world() -> World:
    made = make_vector(ENVS, "bit_flip", "bits_8", threads=1)
    made.reset(seed=0)
    return made


def row(goal: int, state: int) -> torch.Tensor:
    """An observation of 8 bits: the goal, then the state, both written as numbers."""
    bits = [(number >> i) & 1 for number in (goal, state) for i in range(8)]
    return torch.tensor(bits, dtype=torch.float32)


def numbers(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The goals and the states of observations."""
    weights = 2 ** torch.arange(8.0)
    return (rows[:, :8] @ weights).long(), (rows[:, 8:] @ weights).long()


def filled(steps: int, capacity: int = 10_000) -> Replay:
    """Episodes of five steps, of which simulation i begins i steps later; the state after the step of time t in
    simulation i is number t + 80 i + 1, the goal is 255."""
    replay = Replay(capacity, ENVS, WIDTHS)
    for t in range(steps):
        states = [t + 80 * i for i in range(ENVS)]
        columns = {
            "observations": torch.stack([row(255, s) for s in states]),
            "next_observations": torch.stack([row(255, s + 1) for s in states]),
            "actions": torch.zeros(ENVS, 1),
            "rewards": torch.full((ENVS, 1), 7.0),  # the environment's: nobody is to use it
            "discounts": torch.full((ENVS, 1), GAMMA),
        }
        replay.add(columns, torch.tensor([(t - i) % LENGTH == LENGTH - 1 for i in range(ENVS)]))
    return replay


def hindsight(world: World, replay: Replay, her: Any, k: float = 4, seed: int = 0) -> Hindsight:
    settings = HindsightParams(her=her, k=k)
    return Hindsight(Goals(world), replay, settings, GAMMA, torch.Generator().manual_seed(seed))


def drawn(replay: Replay, count: int) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    times, envs = replay.places(count, torch.Generator().manual_seed(1))
    return replay.columns(replay.gather(times, envs)), times, envs


def span(time: int, env: int, newest: int) -> tuple[int, int]:
    """First and last time of an episode, as :func:`filled` makes them."""
    if time < env:
        return 0, env - 1
    first = time - (time - env) % LENGTH
    return first, min(first + LENGTH - 1, newest)


@pytest.mark.parametrize("her", ["future", "final", "episode"])
def test_goals_are_states_of_the_same_episode_and_reward_and_discount_are_theirs(world: World, her: str) -> None:
    replay = filled(63)  # every simulation's last episode is still going on
    batch, times, envs = drawn(replay, 4000)
    found = hindsight(world, replay, her)(batch, times, envs)
    goals, states = numbers(found["observations"])
    ahead, following = numbers(found["next_observations"])
    assert torch.equal(goals, ahead) and torch.equal(states, times + 80 * envs)
    assert torch.equal(following, times + 80 * envs + 1)  # the states stay as they were
    relabeled = goals != 255
    assert abs(relabeled.float().mean() - 0.8) < 0.03
    for goal, time, env in zip(goals[relabeled], times[relabeled], envs[relabeled], strict=True):
        first, last = span(int(time), int(env), 62)
        reached = int(goal) - 80 * int(env) - 1  # the time of the step that led to it
        low, high = {"future": (int(time), last), "final": (last, last), "episode": (first, last)}[her]
        assert low <= reached <= high
    equal = goals == following
    assert torch.equal(found["rewards"][:, 0], torch.where(equal, 0.0, -1.0))
    assert torch.equal(found["discounts"][:, 0], torch.where(equal, 0.0, GAMMA))
    assert 0 < equal.sum() < len(equal)
    assert set(batch["rewards"].flatten().tolist()) == {7.0} and (numbers(batch["observations"])[0] == 255).all()


@pytest.mark.parametrize(("her", "low"), [("future", 1), ("episode", 0)])
def test_each_state_of_the_episode_is_as_likely_as_another(world: World, her: str, low: int) -> None:
    replay = filled(65)
    times, envs = torch.full((20_000,), 11), torch.zeros(20_000, dtype=torch.int64)  # the second step of 10 … 14
    chosen = hindsight(world, replay, her).goal_times(times, envs)
    counts = np.bincount(chosen.numpy() - 10, minlength=5)
    assert counts[:low].sum() == 0 and len(counts) == 5
    assert chisquare(counts[low:]).pvalue > 1e-3


def test_without_hindsight_or_k_the_goals_stay_and_the_reward_is_still_theirs(world: World) -> None:
    replay = filled(40)
    for her, k in (("none", 4), ("future", 0)):
        batch, times, envs = drawn(replay, 100)
        found = hindsight(world, replay, her, k)(batch, times, envs)
        assert torch.equal(found["observations"], batch["observations"])
        assert (found["rewards"] == -1).all() and (found["discounts"] == GAMMA).all()


def test_a_death_stays_a_death_whatever_the_goal(world: World) -> None:
    replay = filled(40)
    batch, times, envs = drawn(replay, 500)
    batch["discounts"] = torch.zeros_like(batch["discounts"])
    assert (hindsight(world, replay, "future")(batch, times, envs)["discounts"] == 0).all()


def test_of_episodes_that_are_overwritten_in_part_no_other_one_is_taken(world: World) -> None:
    replay = filled(63, capacity=3 * 12)
    batch, times, envs = drawn(replay, 2000)
    goals = numbers(hindsight(world, replay, "episode", k=1000)(batch, times, envs)["observations"])[0]
    kept = goals != 255
    reached = goals - 80 * envs - 1
    for time, env, at in zip(times[kept].tolist(), envs[kept].tolist(), reached[kept].tolist(), strict=True):
        first, last = span(time, env, 62)
        assert max(first, 63 - 12) <= at <= last


@pytest.mark.parametrize(
    ("task", "embodiment", "control"),
    [
        ("bit_flip", "bits_8", "discrete"), ("gridworld", "point", "discrete"), ("point_navigation", "point", "motor"),
        ("reach", "franka_7dof", "end_effector"), ("reach", "bimanual_14dof", "end_effector"),
        ("reach", "mobile_3dof", "end_effector"), ("push", "franka_7dof", "end_effector"),
    ],
)  # fmt: skip
def test_every_task_with_goals_agrees_with_its_own_success(task: str, embodiment: str, control: str) -> None:
    made = make_vector(24, task, embodiment, threads=1, control=control, observation="goal")
    made.reset(seed=3)
    assert has_goals(made.task)
    goals, agreed, successes = Goals(made), 0, 0
    every = np.arange(24)
    for step in range(made.task.horizon):
        seen = torch.as_tensor(flatten(made.observe(every)), dtype=torch.float32)
        wanted, achieved = goals.desired(seen), goals.achieved(seen)
        assert wanted.shape == achieved.shape == (24, goals.width)
        assert goals.reached(seen, achieved).all()  # a state reaches what it reaches
        found = goals.reached(goals.with_goals(seen, wanted), wanted).numpy()
        if task == "point_navigation":  # which has no success of its own
            own = np.linalg.norm(seen[:, 2:] - seen[:, :2], axis=1) < 0.02
        else:
            own = made.success(every)
        agreed += int((found == own).sum())
        successes += int(own.sum())
        arrays = made.task.goal_reached(made.task.achieved(made.observe(every)), wanted.numpy())
        np.testing.assert_array_equal(arrays, found)  # arrays as well as tensors
        made.advance(made.expert(every), every)
        if successes > 30 and step > 10:
            break
    assert successes > 0 and agreed == 24 * (step + 1)
    made.close()


def test_dreams_are_states_that_were_visited_and_are_kept_until_they_are_reached_or_the_episode_ends() -> None:
    made = make_vector(4, "bit_flip", "bits_8", threads=1)
    replay, draw = Replay(10_000, 4, WIDTHS), torch.Generator().manual_seed(0)
    goal_runner = GoalRunner(made, 0, "cpu", [], replay, draw, self_generated=True)
    plain = EnvRunner(make_vector(4, "bit_flip", "bits_8", threads=1), 0)
    visited = {tuple(part) for part in goal_runner.observations[:, 8:].tolist()}
    rng, changed, reached = np.random.default_rng(0), 0, 0
    for _ in range(400):
        goals = goal_runner.observations[:, :8]
        for i, goal in enumerate(goals.numpy()):  # as who watches is shown it: plates that stand up
            places = made.state(i)[1]
            made.task.mark(places, made.self_generated(i))
            np.testing.assert_array_equal(places[:, 2] > 0, goal > 0.5)
        assert {tuple(goal) for goal in goals.tolist()} <= visited
        actions = rng.integers(8, size=(4, 1)).astype(float)
        step, other = goal_runner.step(actions), plain.step(actions)
        # the world goes the way it would have gone
        assert torch.equal(step.observations[:, 8:], other.observations[:, 8:])
        assert torch.equal(step.next_observations[:, 8:], other.next_observations[:, 8:])
        assert torch.equal(step.observations[:, :8], goals) and torch.equal(step.next_observations[:, :8], goals)
        near = (step.next_observations[:, 8:] == goals).all(1)
        assert torch.equal(step.rewards, near.float() - 1) and (step.terminated == 0).all()
        assert torch.equal(step.ended, other.ended)
        stays = ~(near | step.ended)
        assert torch.equal(goal_runner.observations[stays, :8], goals[stays])
        changed += int((goal_runner.observations[~stays, :8] != goals[~stays]).any(1).sum())
        reached += int(near.sum())
        columns = {"observations": step.observations, "actions": torch.zeros(4), "rewards": step.rewards}
        columns |= {"next_observations": step.next_observations, "discounts": torch.ones(4)}
        replay.add(columns, step.ended)
        visited |= {tuple(part) for part in step.next_observations[:, 8:].tolist()}
    assert changed > 100 and reached > 0 and 0 < goal_runner.metrics()["goals_reached"] < 1
    assert not {"training_success", "return"} & set(goal_runner.metrics()) and "episode_length" in goal_runner.metrics()


def test_only_tasks_that_say_so_have_goals() -> None:
    tasks = Registry().all("tasks")
    having = {id for id, task in tasks.items() if has_goals(task)}
    assert {"bit_flip", "reach", "push", "point_navigation", "gridworld"} <= having and "hopper" not in having
