"""The replay and what is put into it, against plain accounts of the same steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from studio.rl.algorithms.sac import SAC, SACParams
from studio.rl.collectors.env_runner import EnvRunner
from studio.rl.networks.squashed import SquashedActorCritic
from studio.rl.replay import Replay
from studio.sim.gymnasium_ids import make_vector


def filled(steps: int, seed: int = 0, length: int = 7, envs: int = 3) -> tuple[Replay, list[list[bool]]]:
    """A replay of rows that say their time and simulation, and which episodes ended when."""
    replay = Replay(length * envs, envs, {"time": 1, "env": 1})
    ended = (np.random.default_rng(seed).random((steps, envs)) < 0.25).tolist()
    for t in range(steps):
        columns = {"time": torch.full((envs, 1), float(t)), "env": torch.arange(envs).float()}
        replay.add(columns, torch.tensor(ended[t]))
    return replay, ended


@pytest.mark.parametrize("steps", [1, 5, 7, 8, 20, 43])
def test_spans_are_those_of_a_plain_account_however_often_the_ring_went_round(steps: int) -> None:
    replay, ended = filled(steps, seed=steps)
    oldest = max(0, steps - replay.length)
    for env in range(replay.envs):
        for t in range(oldest, steps):
            began = next((b + 1 for b in range(t - 1, -1, -1) if ended[b][env]), 0)
            wanted = (began, next((e for e in range(t, steps) if ended[e][env]), steps - 1))
            wanted = wanted if began >= oldest else (t, t)
            first, last = replay.span(torch.tensor([t]), torch.tensor([env]))
            assert (first.item(), last.item()) == wanted
            row = replay.columns(replay.gather(torch.tensor([t]), torch.tensor([env])))
            assert (row["time"].item(), row["env"].item()) == (t, env)


def test_samples_are_uniform_over_what_is_held_and_nothing_else() -> None:
    for steps in (4, 30):
        replay, _ = filled(steps)
        found = replay.sample(42_000, torch.Generator().manual_seed(1))
        held = range(max(0, steps - 7), steps)
        counts = np.zeros((steps, 3))
        np.add.at(counts, (found["time"].long().numpy().ravel(), found["env"].long().numpy().ravel()), 1)
        assert counts[: held.start].sum() == 0 and len(replay) == 3 * len(held)
        expected = 42_000 / (3 * len(held))
        assert abs(counts[held.start :] / expected - 1).max() < 5 / np.sqrt(expected)


@pytest.mark.parametrize("steps", [4, 30])
def test_its_state_goes_on_as_it_would_have(steps: int) -> None:
    whole, _ = filled(steps)
    again = Replay(21, 3, {"time": 1, "env": 1})
    again.load_state_dict(whole.state_dict())
    for t in range(steps, steps + 4):
        for replay in (whole, again):
            replay.add({"time": torch.full((3,), float(t)), "env": torch.arange(3)}, torch.tensor([t % 2 == 0] * 3))
    assert torch.equal(whole.rows, again.rows)
    held = torch.arange(max(0, whole.time - 7), whole.time)
    for env in range(3):
        envs = torch.full_like(held, env)
        assert all(torch.equal(a, b) for a, b in zip(whole.span(held, envs), again.span(held, envs), strict=True))
    one, other = (replay.sample(50, torch.Generator().manual_seed(2))["time"] for replay in (whole, again))
    assert torch.equal(one, other)


def test_falls_end_and_time_limits_go_on_from_the_state_they_led_to(monkeypatch: pytest.MonkeyPatch) -> None:
    made = EnvRunner(make_vector(6, "hopper", "hopper", threads=1), 0)
    made.world.steps[:] = [0, 0, 0, 985, 990, 995]  # three run out of time before they fall
    logged: list[Any] = []
    real = made.world.step
    monkeypatch.setattr(made.world, "step", lambda actions: logged.append(real(actions)) or logged[-1])
    rng, late, fallen = np.random.default_rng(0), 0, 0
    for _ in range(60):
        step = made.step(rng.uniform(-1, 1, (6, 3)))
        observation, reward, terminated, truncated, info = logged[-1]
        torch.testing.assert_close(step.rewards, torch.tensor(reward, dtype=torch.float32))
        for i in range(6):
            after = info["final_obs"][i] if terminated[i] or truncated[i] else observation[i]
            torch.testing.assert_close(step.next_observations[i], torch.tensor(after, dtype=torch.float32))
            assert step.terminated[i].item() == terminated[i]
            assert step.ended[i].item() == (terminated[i] or truncated[i])
        late, fallen = late + truncated.sum(), fallen + terminated.sum()
    assert late >= 2 and fallen >= 2


def test_a_simulation_that_diverges_stands_still_gains_nothing_and_is_not_called_a_fall() -> None:
    made = EnvRunner(make_vector(3, "half_cheetah", "half_cheetah", threads=1), 0)
    made.step(np.zeros((3, 6)))
    before = made.observations
    made.world.bind("qvel")[1] = 1e12
    step = made.step(np.zeros((3, 6)))
    assert made.metrics()["diverged"] == 1
    assert step.ended.tolist() == [False, True, False] and step.terminated.tolist() == [0, 0, 0]
    assert step.rewards[1] == 0 and torch.equal(step.next_observations[1], before[1])
    assert bool(torch.isfinite(step.next_observations).all() and torch.isfinite(made.observations).all())


def test_a_learner_keeps_no_more_room_than_its_budget_fills() -> None:
    world = make_vector(3, "hopper", "hopper", threads=1)
    policy = SquashedActorCritic(SquashedActorCritic.Params(width=8))
    policy.fit(11, world.control.low, world.control.high, 0)
    small = {"samples": 50, "learning_starts": 1000, "update": "eager"}
    learner = SAC(policy, world, SACParams(**small), iterations=2, seed=0)
    for _ in learner.iterate():
        pass
    assert learner.replay.time == 34 <= learner.replay.length == 34  # 102 steps: the last goes over the budget
    assert SAC(policy, world, SACParams(capacity=100, **small), iterations=9, seed=0).replay.length == 33
