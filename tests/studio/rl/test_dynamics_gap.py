"""Δr by two classifiers, against tables whose Δr is known."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from studio.nn.policy import BasePolicy
from studio.rl.compiling import compiler
from studio.rl.dynamics_gap import DynamicsGap, GapLearner, GapParams, exact_delta

Array = np.ndarray
SIDE, ACTIONS, SLIP = 5, 4, 0.3
STATES = SIDE * SIDE


def grid(wall: bool) -> Array:
    """Transitions (state, action, next state) of a grid; a share of the steps goes anywhere. The wall leaves a gap."""
    table = np.zeros((STATES, ACTIONS, STATES))
    moves = ((0, 1), (1, 0), (0, -1), (-1, 0))
    for x, y, action in np.ndindex(SIDE, SIDE, ACTIONS):
        for way, (dx, dy) in enumerate(moves):
            u, v = x + dx, y + dy
            free = 0 <= u < SIDE and 0 <= v < SIDE
            if wall and {x, u} == {1, 2} and v < SIDE - 1:
                free = False
            share = SLIP / 4 + (1 - SLIP) * (way == action)
            table[x * SIDE + y, action, u * SIDE + v if free else x * SIDE + y] += share
    return table


def batch(states: Array, actions: Array, after: Array) -> dict[str, torch.Tensor]:
    one_hot, units = torch.eye(STATES), 2 * torch.eye(ACTIONS) - 1
    return {
        "observations": one_hot[torch.from_numpy(states)],
        "actions": units[torch.from_numpy(actions)],
        "next_observations": one_hot[torch.from_numpy(after)],
    }


def draw(table: Array, behavior: Array, n: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """Transitions of a table under a policy (state, action), from states drawn evenly."""
    states = rng.integers(STATES, size=n)
    actions = (rng.random((n, 1)) > behavior[states].cumsum(1)).sum(1).clip(max=ACTIONS - 1)
    after = (rng.random((n, 1)) > table[states, actions].cumsum(1)).sum(1).clip(max=STATES - 1)
    return batch(states, actions, after)


def learned(steps: int, seed: int = 0, **settings: Any) -> tuple[DynamicsGap, GapLearner, torch.Tensor]:
    """A gap from a grid without to one with a wall; the two domains' policies prefer different actions."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    given = GapParams(**{"classifier_width": 64, "classifier_rate": 1e-3} | settings)
    gap = DynamicsGap(STATES, -np.ones(ACTIONS), np.ones(ACTIONS), given, seed)
    learner, found = GapLearner(gap, given, seed), torch.zeros(4)
    policies = [np.tile(row, (STATES, 1)) for row in ([0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4])]
    tables = grid(False), grid(True)
    for _ in range(steps):
        found = learner.step(*(draw(t, p, 128, rng) for t, p in zip(tables, policies, strict=True)))
    return gap, learner, found


def correlation(one: Array, other: Array, weights: Array) -> float:
    weights = weights / weights.sum()
    a, b = one - (weights * one).sum(), other - (weights * other).sum()
    return float((weights * a * b).sum() / np.sqrt((weights * a * a).sum() * (weights * b * b).sum()))


def test_delta_reward_is_the_tables_own() -> None:
    """Every (s, a, s') that happens in either domain, weighted by how often it does, with all (s, a) alike."""
    gap, _, found = learned(1500)
    source, target = grid(False), grid(True)
    exact = exact_delta(source, target, bound=3.0).ravel()
    states, actions, after = (i.ravel() for i in np.indices(source.shape))
    ours = gap.delta_reward(batch(states, actions, after)).clamp(-3, 3).numpy()
    seen = ~np.isnan(exact)
    weights = 0.5 * (source + target).ravel()[seen]
    assert correlation(ours[seen], exact[seen], weights) > 0.95
    assert found[2] > 0.5 and found[3] > 0.6  # the policies differ, which (s, a) tells, and which cancels out of Δr
    through = (source.ravel() > 0.5) & (target.ravel() == 0)
    stuck = (target.ravel() > 0.5) & (source.ravel() == 0)
    untouched = (source.ravel() > 0.5) & (source.ravel() == target.ravel())
    assert ours[through].max() < -1 and ours[stuck].min() > 1 and abs(ours[untouched].mean()) < 0.3


def test_where_nothing_differs_it_says_nothing() -> None:
    rng = np.random.default_rng(0)
    settings = GapParams(classifier_width=32, classifier_rate=1e-3)
    gap = DynamicsGap(STATES, -np.ones(ACTIONS), np.ones(ACTIONS), settings, 0)
    learner, table, even = GapLearner(gap, settings, 0), grid(False), np.full((STATES, ACTIONS), 0.25)
    for _ in range(300):
        learner.step(draw(table, even, 128, rng), draw(table, even, 128, rng))
    assert gap.delta_reward(draw(table, even, 1000, rng)).abs().mean() < 0.15


def test_exact_values_of_a_table() -> None:
    source, target = np.array([[[0.5, 0.5, 0.0, 0.0]]]), np.array([[[0.25, 0.0, 0.75, 0.0]]])
    delta = exact_delta(source, target, 4.0)[0, 0]
    np.testing.assert_allclose(delta, [np.log(0.5), -4.0, 4.0, np.nan])


def test_a_step_is_one_of_adam_on_the_two_losses() -> None:
    """Against torch's own optimizer on the same noisy batch."""
    settings = GapParams(classifier_width=16, classifier_rate=1e-2)
    gap = DynamicsGap(3, -np.ones(2), np.ones(2), settings, 0)
    plain = copy.deepcopy(gap.networks)
    adam = torch.optim.Adam(plain.parameters(), 1e-2)
    learner = GapLearner(gap, settings, 0)
    for _ in range(3):
        inputs, wanted = torch.randn(10, 11), torch.tensor([0.0] * 5 + [1.0] * 5)
        learner.update(inputs)
        known, delta = plain(inputs)
        loss = torch.nn.BCEWithLogitsLoss()
        adam.zero_grad()
        (loss(known, wanted) + loss(known.detach() + delta, wanted)).backward()
        adam.step()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(gap.networks.state_dict()[name], value, rtol=1e-4, atol=1e-6)


def test_dynamics_gap_is_a_companion_that_takes_native_actions() -> None:
    """A copy is independent, no parameter of the policy, and gets native actions."""
    policy = BasePolicy()
    policy.layer = torch.nn.Linear(2, 2)
    settings = GapParams(classifier_width=8, delta_bound=0.01)
    gap = DynamicsGap(3, np.array([-2.0, 0.0]), np.array([2.0, 4.0]), settings, 0, ignored=["goal"])
    policy.attach("gap", gap)
    learner = GapLearner(gap, settings, 0)
    rng = np.random.default_rng(0)
    seen, after = rng.normal(size=(2, 50, 3)).astype(np.float32)
    native = rng.uniform([-2, 0], [2, 4], (50, 2))
    before = gap.transition_score(seen, native, after)
    assert before.shape == (50,) and abs(before).max() == pytest.approx(0.01)
    rows = {
        "observations": torch.from_numpy(seen),
        "actions": torch.from_numpy(native - [0, 2]).float() / 2,
        "next_observations": torch.from_numpy(after),
    }
    torch.testing.assert_close(torch.from_numpy(before), gap.delta_reward(rows))
    kept: Any = copy.deepcopy(policy).companions()["gap"]
    assert policy.transition_scores() is gap and kept is not gap
    assert len(list(policy.parameters())) == 2 and list(policy.state_dict()) == ["layer.weight", "layer.bias"]
    gap.bound = kept.bound = 10.0
    for _ in range(5):
        learner.step(rows, {name: value + 1 for name, value in rows.items()})
    same = kept.transition_score({"state": seen, "goal": seen}, native, {"state": after, "goal": seen})
    np.testing.assert_array_equal(same.clip(-0.01, 0.01), before)
    assert not np.array_equal(gap.transition_score(seen, native, after), same)


def test_resumed_it_is_the_same_to_the_bit() -> None:
    _, whole, _ = learned(3)
    state = copy.deepcopy(whole.state_dict())
    _, resumed, _ = learned(1, seed=1)
    resumed.load_state_dict(state)
    rng = np.random.default_rng(5)
    even = np.full((STATES, ACTIONS), 0.25)
    pairs = [[draw(grid(wall), even, 16, rng) for wall in (False, True)] for _ in range(3)]
    assert [whole.step(*pair).tolist() for pair in pairs] == [resumed.step(*pair).tolist() for pair in pairs]
    torch.testing.assert_close(whole.flat.vector, resumed.flat.vector, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.skipif(not compiler(), reason="there is no C++ compiler")
def test_the_compiled_step_is_the_eager_one() -> None:
    settings, made = GapParams(classifier_width=16), []
    widths = {"observations": 3, "actions": 2, "next_observations": 3}
    for fast in (False, True):
        gap = DynamicsGap(3, -np.ones(2), np.ones(2), settings, 0)
        learner = GapLearner(gap, settings, 0, compile=fast)
        generator = torch.Generator().manual_seed(0)
        for _ in range(5):
            learner.step(*({name: torch.randn(10, width, generator=generator) for name, width in widths.items()}
                           for _ in range(2)))  # fmt: skip
        made.append(learner.flat.vector)
    torch.testing.assert_close(*made, rtol=1e-4, atol=1e-5)
