"""Intervals of scores, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from studio.run.evaluate import bootstrap_interval


@pytest.mark.parametrize(("value", "count"), [(1.0, 200), (0.0, 8)])
def test_of_shares_that_are_all_alike_the_interval_is_clopper_and_pearsons(value: float, count: int) -> None:
    exact = stats.binomtest(int(value * count), count).proportion_ci(method="exact")
    low, high = bootstrap_interval(np.full(count, value))
    assert (low, high) == pytest.approx((exact.low, exact.high))


def test_returns_that_are_all_alike_have_no_interval_of_shares() -> None:
    for value in (0.0, 1.0, -3.5):
        assert bootstrap_interval(np.full(8, value), shares=False) == (value, value)


def test_the_interval_is_the_percentile_bootstraps() -> None:
    values = np.random.default_rng(0).normal(3, 2, 60)
    wanted = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    assert bootstrap_interval(values) == pytest.approx((wanted.low, wanted.high), abs=0.05)
