"""Bandits and tabular MDPs: rewards and transitions as they were drawn, and values that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from plugins.tasks.tabular_mdp import optimal_actions, tables
from studio.meta.exact_bandits import best_probabilities, counts_value, optimal_value, policy_value, thompson_value
from studio.registry import Registry
from studio.sim.gymnasium_ids import make_vector
from studio.sim.rollout import expert_actions, run_episodes


def test_arms_give_rewards_with_their_probabilities() -> None:
    world = make_vector(2000, "bandit_5", "point", threads=1, observation="goal", contexts=[[0.1, 0.9, 0.5, 0, 1]])
    seen = world.reset(seed=0)[0]
    np.testing.assert_array_equal(seen["goal"][7], np.float32([0.1, 0.9, 0.5, 0, 1]))
    for arm, chance in enumerate(seen["goal"][0].tolist()):
        _, reward, *_ = world.step(np.full((2000, 1), arm))
        assert scipy.stats.binomtest(int(reward.sum()), 2000, chance).pvalue > 1e-3


def test_optimal_bandit_values_are_the_published_ones() -> None:
    assert optimal_value(5, 10) == pytest.approx(6.6600, abs=5e-5)
    assert optimal_value(10, 10) == pytest.approx(6.7140, abs=5e-5)


def test_exact_values_of_rules_are_those_of_played_trials() -> None:
    """Two arms and four pulls: staying after a reward, by enumeration; Thompson sampling, by playing it."""

    def stay(pull: np.ndarray, before: np.ndarray, reward: np.ndarray) -> np.ndarray:
        return np.where(before < 0, 0, np.where(reward > 0, before, 1 - before))

    # first pull 1/2; then the same arm with 2/3 after a success, the other one with 1/2 after a failure, and so on
    assert policy_value(2, 1, stay) == pytest.approx(0.5)
    assert policy_value(2, 2, stay) == pytest.approx(0.5 + 0.5 * 2 / 3 + 0.5 * 1 / 2)
    rng = np.random.default_rng(0)
    chances, counts, total = rng.random((200_000, 2)), np.ones((200_000, 2, 2)), 0.0
    for _ in range(4):
        arm = rng.beta(counts[:, :, 0], counts[:, :, 1]).argmax(1)
        reward = rng.random(200_000) < chances[np.arange(200_000), arm]
        counts[np.arange(200_000), arm, 1 - reward.astype(int)] += 1
        total += reward.mean()
    assert thompson_value(2, 4) == pytest.approx(total, abs=0.01)


def test_value_of_drawing_by_the_posterior_is_thompson_samplings() -> None:
    def posterior(counts: np.ndarray) -> np.ndarray:
        """Shares of 4,000 draws in which each arm is the best, with the same random numbers for all counts."""
        places = np.random.default_rng(0).random((4000, 3))
        draws = scipy.stats.beta(1 + counts[:, None, :, 0], 1 + counts[:, None, :, 1]).ppf(places)
        return np.eye(3)[draws.argmax(-1)].mean(1)

    assert counts_value(3, 3, posterior) == pytest.approx(thompson_value(3, 3), abs=5e-3)
    assert counts_value(5, 4, lambda counts: np.full((len(counts), 5), 0.2), rows=7) == pytest.approx(2)


def test_probability_that_an_arm_is_best_is_the_integral() -> None:
    shares = best_probabilities((((0, 0), 2), ((2, 1), 1)))
    draws = np.random.default_rng(0).beta([[1], [1], [3]], [[1], [1], [2]], (3, 400_000))
    assert shares[2, 1] == pytest.approx((draws.argmax(0) == 2).mean(), abs=5e-3)
    assert sum(shares.values()) == pytest.approx(1)


def test_tabular_mdp_moves_and_rewards_by_its_tables() -> None:
    transitions, rewards = tables(np.array([7]))
    np.testing.assert_allclose(transitions.sum(-1), 1)
    world = make_vector(4000, "tabular_mdp", "point", threads=1, contexts=[[7]])
    world.reset(seed=0)
    seen, reward, *_ = world.step(np.full((4000, 1), 3))
    counts = np.bincount(seen.argmax(1), minlength=10)
    assert scipy.stats.chisquare(counts, 4000 * transitions[0, 0, 3]).pvalue > 1e-3
    assert scipy.stats.kstest(reward - rewards[0, 0, 3], "norm").pvalue > 1e-3


def test_tabular_mdps_are_drawn_as_published() -> None:
    """Flat Dirichlet rows, N(1, 1) rewards, and 21.81 ± 0.04 an episode for who knows them."""
    transitions, rewards = tables(np.arange(4000))
    assert scipy.stats.kstest(transitions[:200, ..., 0].ravel(), scipy.stats.beta(1, 9).cdf).pvalue > 1e-3
    assert scipy.stats.kstest(rewards[:200].ravel(), scipy.stats.norm(1, 1).cdf).pvalue > 1e-3
    _, values = optimal_actions(transitions, rewards, 10)
    assert values[:, 0].mean() == pytest.approx(21.81, abs=4 * values[:, 0].std() / 4000**0.5)


def test_expert_of_the_tabular_mdp_earns_the_optimal_value() -> None:
    world = make_vector(500, "tabular_mdp", "point", threads=1, contexts=[[11]])
    _, values = optimal_actions(*tables(np.array([11])), 10)
    returns = run_episodes(world, expert_actions, range(500), needs_observation=False).returns
    assert returns.mean() == pytest.approx(values[0, 0], abs=4 * returns.std() / 500**0.5)


@pytest.mark.parametrize(("task", "context"), [("bandit_5", [0.5, 0.5, 1.2, 0, 0]), ("tabular_mdp", [0.5])])
def test_impossible_contexts_are_refused(task: str, context: list[float]) -> None:
    (problem,) = Registry().get("tasks", task, "task")().check_context(context)
    assert problem.field == "contexts" and problem.remedy
