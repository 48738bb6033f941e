"""Bit flipping: the rules of the paper's section 3.1, for any number of bits and of simulations."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from studio.registry import Registry
from studio.sim.gymnasium_ids import default_domain, make_vector
from studio.sim.rollout import expert_actions, run_episodes


@pytest.mark.parametrize("count", [8, 15, 30])
def test_an_action_flips_its_bit_and_only_equality_is_rewarded(count: int) -> None:
    world = make_vector(16, "bit_flip", f"bits_{count}", threads=1)
    seen, rng = world.reset(seed=0)[0], np.random.default_rng(0)
    assert seen["state"].shape == seen["goal"].shape == (16, count) and world.task.horizon == count
    assert 0.3 < seen["state"].mean() < 0.7 and set(np.unique(seen["goal"])) == {0, 1}
    bits, goal, ended = seen["state"].copy(), seen["goal"].copy(), 0
    for step in range(1, count + 1):
        choices = rng.integers(count, size=16)
        seen, reward, terminated, truncated, _ = world.step(choices[:, None] + rng.random((16, 1)) * 0.99)
        bits[np.arange(16), choices] = 1 - bits[np.arange(16), choices]
        equal = (bits == goal).all(1)
        np.testing.assert_array_equal(reward, np.where(equal, 0, -1))
        np.testing.assert_array_equal(terminated, equal)
        assert (truncated == (~equal & (step == count))).all()
        if ended := ended + int(equal.sum()):  # another episode has started there
            break
        if step < count:
            np.testing.assert_array_equal(seen["state"], bits)
            np.testing.assert_array_equal(seen["goal"], goal)


def test_the_expert_flips_what_differs() -> None:
    world = make_vector(64, "bit_flip", "bits_15", threads=1)
    world.reset_envs(np.arange(64), range(64))
    seen = world.observe(slice(None))
    apart = np.abs(seen["state"] - seen["goal"]).sum(1).astype(int)
    outcome = run_episodes(world, expert_actions, range(64), needs_observation=False)
    assert outcome.successes.all()
    np.testing.assert_array_equal(outcome.lengths, apart)
    np.testing.assert_array_equal(outcome.returns, 1 - apart)


def test_bit_flip_episode_does_not_depend_on_neighbors() -> None:
    many, one = make_vector(40, "bit_flip", "bits_8", threads=2), make_vector(1, "bit_flip", "bits_8", threads=1)
    many.reset(seed=100)
    acts = np.random.default_rng(1).integers(8, size=(7, 40, 1)).astype(float)
    for t in range(7):
        many.advance(acts[t], slice(None))
    seen = many.observe(slice(None))
    for i in (0, 17, 39):
        one.reset_envs(np.zeros(1, int), [100 + i])
        for t in range(7):
            one.advance(acts[t, i : i + 1], np.zeros(1, int))
        own = one.observe(np.zeros(1, int))
        for key in ("state", "goal"):
            np.testing.assert_array_equal(own[key][0], seen[key][i])
    again = make_vector(40, "bit_flip", "bits_8", threads=1)
    again.reset(seed=0)
    again.load_state_dict(many.state_dict())
    for world in (many, again):
        world.step(np.full((40, 1), 3.0))
    for key in ("state", "goal"):
        np.testing.assert_array_equal(again.observe(slice(None))[key], many.observe(slice(None))[key])


def test_an_action_that_is_no_number_is_a_counted_divergence() -> None:
    world = make_vector(3, "bit_flip", "bits_8", threads=1)
    world.reset(seed=0)
    _, reward, _, truncated, info = world.step(np.array([[1.0], [np.nan], [2.0]]))
    assert world.diverged == 1 and truncated.tolist() == [False, True, False]
    assert info["diverged"].tolist() == [False, True, False] and reward[1] == 0


def test_bit_flip_gymnasium_id_and_other_embodiments() -> None:
    env = gymnasium.make("studio.gym:studio/BitFlip-bits_8-v0")
    env.reset(seed=1)
    assert env.action_space.contains(env.action_space.sample())
    assert sorted(env.step(np.array([7.9], np.float32))[0]) == ["goal", "state"]
    env.close()
    registry = Registry()
    kind, hopper = registry.get("tasks", "bit_flip"), registry.get("embodiments", "hopper")
    (problem,) = kind().check(hopper)
    assert problem.field == "embodiment" and "bits_15" in problem.remedy
    domain = default_domain(kind, registry.get("embodiments", "bits_15"))
    assert (domain.control, domain.observation_kind) == ("discrete", "goal")
