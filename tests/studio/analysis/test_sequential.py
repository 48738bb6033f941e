"""The sequential comparison: exact error rates, early decisions, and what counts as a win."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from studio.analysis.sequential import SequentialTest, decide
from studio.analysis.table_format import format_decisions


def test_sequential_error_rate_over_all_outcomes() -> None:
    """Every sequence of nine fair coins, looked at after each: at most alpha of them decide, and some do."""
    for alpha in (0.05, 0.3):
        coins = np.array([*itertools.product((0.0, 1.0), repeat=9)])
        decided = [decide(1 - row, row, len(row), alpha, batch=1).ahead for row in coins]
        assert 0.4 * alpha < np.mean(np.abs(decided)) <= alpha
        assert np.sum(decided) == 0  # neither side is favored


def test_sequential_test_names_who_is_ahead_and_stops() -> None:
    ones, zeros = np.ones(200), np.zeros(200)
    for first, second, ahead in ((zeros, ones, 1), (ones, zeros, -1)):
        found = decide(first, second, 200)
        assert (found.ahead, found.played, found.open) == (ahead, 10, False)


def test_sequential_test_equal_scores_decide_nothing() -> None:
    found = decide(np.ones(60), np.ones(60), 60)
    assert (found.ahead, found.wins, found.losses, found.open) == (0, 0, 0, False)
    assert decide(np.ones(40), np.ones(40), 60).open


def test_sequential_test_of_returns_counts_the_higher_one() -> None:
    returns = np.random.default_rng(0).normal(size=100)
    assert decide(returns, returns + 0.01, 100).ahead == 1


def test_sequential_test_needs_a_plan() -> None:
    for planned, alpha in ((0, 0.05), (10, 0.0)):
        with pytest.raises(ValueError, match="at least one episode"):
            SequentialTest(planned, alpha)


def test_table_of_decisions_states_the_error_rate() -> None:
    row: dict[str, Any] = {
        "strategy": "lora", "reference": "from_scratch", "episodes": 20, "played": 60, "planned": 600, "wins": 21,
        "losses": 4, "alpha": 0.05, "decision": "lora is ahead",
    }  # fmt: skip
    text = format_decisions([row, row])
    assert "60 of 600" in text and "at most 0.05" in text and "any of the 2 pairs with at most 0.1" in text
