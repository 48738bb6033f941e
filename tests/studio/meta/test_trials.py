"""Trials: a context held over k episodes, what came before in the observation, and states that resume to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from studio.errors import StudioError
from studio.meta.trial_policy import TrialActorCritic
from studio.meta.trial_returns import TrialReturns
from studio.meta.trials import Trials, run_trials, scored_trials
from studio.nn.policy import BasePolicy
from studio.registry import shared_registry
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.recurrent_ppo import RecurrentPPO
from studio.sim.domains import resolve
from studio.sim.gymnasium_ids import make_vector
from studio.sim.world import World

HORIZON = 100


def point_world(sims: int = 3) -> World:
    world: World = make_vector(sims, "point_navigation", "point", threads=1)
    return world


def actions_for(sims: int, steps: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.1, 0.1, (steps, sims, 2)).astype(np.float32)


def test_trials_hold_a_context_over_exactly_k_episodes() -> None:
    world = point_world()
    trials = Trials(world, 3)
    world.reset(seed=5)
    held = [world.contexts.copy()]
    for _ in range(7 * HORIZON):
        before = trials.episode.copy()
        *_, truncated, _ = world.step(np.zeros((3, 2)))
        if truncated.any():
            assert truncated.all() and (trials.episode == (before + 1) % 3).all()
            held.append(world.contexts.copy())
    assert len(held) == 8
    for episode in range(1, 8):
        same = held[episode] == held[episode - 1]
        assert not same.any() if episode % 3 == 0 else same.all()


def test_trials_do_not_change_the_first_context_of_a_seed() -> None:
    plain, held = point_world(), point_world()
    Trials(held, 2)
    plain.reset(seed=9)
    held.reset(seed=9)
    assert np.array_equal(plain.contexts, held.contexts)


def test_a_trial_does_not_depend_on_its_neighbors() -> None:
    many, one = point_world(4), point_world(1)
    Trials(many, 2)
    Trials(one, 2)
    for seeds in ([11, 12, 13, 14], [21, 22, 23, 24]):
        many.reset_envs(np.arange(4), seeds)
        one.reset_envs(np.arange(1), seeds[2:3])
        assert np.array_equal(many.contexts[2], one.contexts[0])


def test_trials_observe_previous_action_reward_and_end() -> None:
    world, actions = point_world(), actions_for(3, 2 * HORIZON)
    Trials(world, 2)
    first, _ = world.reset(seed=1)
    for name, width in {"previous_action": 2, "previous_reward": 1, "previous_end": 1}.items():
        assert first[name].shape == (3, width) and not first[name].any()
        assert world.single_observation_space[name].shape == (width,)
    for step, action in enumerate(actions, 1):
        seen, rewards, _, truncated, info = world.step(action)
        if step == 2 * HORIZON:  # another trial: nothing of the last one
            assert not any(seen[f"previous_{name}"].any() for name in ("action", "reward", "end"))
            last = info["final_obs"][1]
            assert np.array_equal(last["previous_action"], action[1]) and last["previous_reward"] == np.float32(
                rewards[1]
            )
            continue
        np.testing.assert_array_equal(seen["previous_action"], action)
        np.testing.assert_allclose(seen["previous_reward"][:, 0], rewards, rtol=1e-6)
        assert (seen["previous_end"] == float(step == HORIZON)).all() and truncated.all() == (step == HORIZON)


def test_a_diverged_simulation_leaves_no_garbage_in_a_trial() -> None:
    world = point_world()
    Trials(world, 2)
    world.reset(seed=1)
    bad = np.zeros((3, 2))
    bad[1] = np.nan
    seen, *_ = world.step(bad)
    assert all(np.isfinite(value).all() for value in seen.values())


def test_trials_resume_to_the_bit() -> None:
    def made() -> tuple[World, Trials]:
        world = point_world()
        trials = Trials(world, 2)
        world.reset(seed=3)
        world.steps[:] = [0, 30, 60]
        return world, trials

    actions = actions_for(3, 260)
    world, trials = made()
    for action in actions[:85]:
        world.step(action)
    kept = world.state_dict(), trials.state_dict()
    wanted = [world.step(action)[0] for action in actions[85:]]
    again, held = made()
    again.load_state_dict(kept[0])
    held.load_state_dict(kept[1])
    for action, seen in zip(actions[85:], wanted, strict=True):
        found = again.step(action)[0]
        assert found.keys() == seen.keys() and all(np.array_equal(found[name], seen[name]) for name in seen)
    assert np.array_equal(again.contexts, world.contexts)


def test_a_world_has_one_kind_of_trials() -> None:
    world = point_world()
    with pytest.raises(StudioError, match="at least one episode; it has 0"):
        Trials(world, 0)
    Trials(world, 2)
    with pytest.raises(StudioError, match="trials already"):
        Trials(world, 3)


def policy_for(world: World) -> TrialActorCritic:
    policy = TrialActorCritic(TrialActorCritic.Params(width=8, hidden=8))
    width = sum(value.shape[1] for value in world.observe([0]).values())
    policy.fit(width, world.control.low, world.control.high, 0)
    with torch.no_grad():
        policy.actor[-1].weight.mul_(100)  # a new actor hardly moves, whatever it remembers
    return policy


def test_memory_survives_episode_ends_within_a_trial_only() -> None:
    """What the collector remembers is cleared exactly where the trial's context is drawn again."""
    torch.set_num_threads(1)
    world = point_world(2)
    Trials(world, 2)
    settings = PPOParams(update="eager", steps=2 * HORIZON + 10, minibatch=2 * HORIZON + 10, epochs=1)
    ppo = RecurrentPPO(policy_for(world), world, settings, iterations=1, seed=0)
    contexts: list[np.ndarray] = [world.contexts.copy()]
    real = world.step

    def step(actions: Any) -> Any:
        answer = real(actions)
        contexts.append(world.contexts.copy())
        return answer

    world.step = step  # type: ignore[method-assign]
    fresh = ppo.rollouts.collect().fresh.numpy()
    drawn = (np.diff(np.array(contexts), axis=0) != 0).any(-1)[:-1]
    assert np.array_equal(fresh[1:], drawn) and drawn.any(0).all()


def test_trial_returns_are_kept_by_place_and_whole_episodes_only() -> None:
    world = point_world(2)
    trials = Trials(world, 2)
    returns = TrialReturns(world, trials)
    world.observers.append(returns)
    world.reset(seed=0)
    world.steps[1] = 50
    total = np.zeros(2)
    for step in range(2 * HORIZON):
        total += world.step(np.zeros((2, 2)))[1] * [1, step >= 50]
        if step == HORIZON - 1:
            first, total = total.copy(), np.zeros(2)
    found = returns.metrics()
    assert found["return/episode 1"] == pytest.approx(first[0])
    assert set(found) == {"return/episode 1", "return/episode 2"}
    again = TrialReturns(world, trials)
    again.load_state_dict(returns.state_dict())
    assert again.metrics() == found and again.state_dict() == returns.state_dict()


def test_run_trials_keeps_memory_and_context() -> None:
    world = point_world(1)
    Trials(world, 2)
    policy, domain = policy_for(world), resolve(world.domain, shared_registry())
    ended: list[int] = []
    outcomes, memory = run_trials(policy.act, domain, 2, [7, 8], ended.append)
    returns = np.stack([outcome.returns for outcome in outcomes])
    assert returns.shape == (2, 2) and memory.shape == (2, 8)
    assert ended == sorted(ended) and (ended[0], ended[-1]) == (0, 2)  # the last step is before the last two end
    world.reset_envs(np.zeros(1, int), [7])
    remembered: Any = None
    for episode, seed in enumerate([7, 9]):
        if episode:
            world.reset_envs(np.zeros(1, int), [seed])
        total = 0.0
        for _ in range(HORIZON):
            action, remembered = policy.act(world.observe([0]), remembered)
            world.advance(action, [0])  # type: ignore[arg-type]
            rewards = world.reward(np.zeros(1, int))
            world.notify_step(np.zeros(1, int), rewards)
            total += float(rewards[0])
        world.notify_episode_end(np.zeros(1, int), None)
        assert total == pytest.approx(returns[episode, 0], rel=1e-4)
    np.testing.assert_allclose(remembered[0], memory[0], atol=1e-4)


def test_unknown_previous_entries_count_as_their_mean() -> None:
    world = point_world(2)
    Trials(world, 2)
    policy = policy_for(world)
    policy.moments.update(torch.randn(64, 6, generator=torch.Generator().manual_seed(0)))
    mean = policy.moments.mean.float().numpy()
    plain = np.zeros((2, 2), np.float32)
    rows = {
        name: np.repeat(mean[None, part], 2, 0)
        for name, part in {
            "previous_action": slice(0, 2),
            "previous_end": slice(2, 3),
            "previous_reward": slice(3, 4),
        }.items()
    }
    np.testing.assert_allclose(policy.act({"state": plain})[0], policy.act({"state": plain, **rows})[0], atol=1e-6)
    assert np.array_equal(policy.act(plain)[0], policy.act({"state": plain})[0])


class _Explorer(BasePolicy):
    """Explores by going left for good; the episodes that count stay where they are."""

    plays_trials = True
    explores_apart = True

    def act(self, observation: Any, memory: Any = None) -> tuple[np.ndarray, np.ndarray]:
        n = len(observation["state"])
        seen = np.zeros((n, 1), np.float32) if memory is None else memory
        return np.zeros((n, 2), np.float32), seen + observation["previous_end"]

    def exploring(self, seed: int) -> Any:
        def act(observation: Any, memory: Any) -> tuple[np.ndarray, np.ndarray]:
            still, after = self.act(observation, memory)
            return still - np.float32([0.1, 0]), after

        return act


@pytest.mark.parametrize("apart", [True, False])
def test_what_is_scored_after_shots_is_what_the_policy_does_with_them(
    apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standing still costs the distance of the goal at every step, by closed form; exploring costs other rewards."""
    monkeypatch.setattr(_Explorer, "explores_apart", apart)
    domain = resolve(point_world(1).domain, shared_registry())
    goal, ended = (0.3, -0.4), list[int]()
    one = domain.changed(domain.domain.changed(contexts=[goal]))
    outcomes = scored_trials(_Explorer(), one, 2, [3, 4], 0, ended.append)
    steps = np.arange(1, HORIZON + 1)
    wanted = -0.5 * HORIZON if apart else -np.hypot(0.1 * steps + goal[0], goal[1]).sum()
    for outcome in outcomes:
        assert outcome.returns == pytest.approx([wanted, wanted], rel=1e-5)
    assert len(outcomes) == 3 and ended == sorted(ended) and ended[-1] <= 3 * 2


def test_exploring_samples_around_the_actions_by_its_own_chance() -> None:
    world = point_world(1)
    Trials(world, 2)
    policy = policy_for(world)
    policy.log_std.data.fill_(-3)  # so that hardly any action is beyond the range
    seen = {name: np.repeat(value, 4000, 0) for name, value in world.observe([0]).items()}
    first, again, other = (policy.exploring(seed)(seen, None)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    means, _ = policy.act(seen)
    spread = np.exp(-3) * (world.control.high - world.control.low) / 2
    assert first.std(0) == pytest.approx(spread, rel=0.1)
    assert first.mean(0) == pytest.approx(means[0], abs=5 * spread.max() / np.sqrt(len(first)))
