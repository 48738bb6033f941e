"""Outcome against a randomized value: bins, intervals and rank correlation, held against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from studio.analysis.effects import BINS, binned, latest
from studio.store.log_reader import EpisodeTable

RNG = np.random.default_rng(0)
MASS = RNG.uniform(0.5, 1.5, 400)


def test_returns_that_fall_with_the_value_fall_in_the_bins() -> None:
    returns = 10 - 4 * MASS + RNG.normal(0, 0.5, 400)
    found = binned(MASS, returns)
    assert len(found.at) == BINS and np.all(found.count == 50)
    assert np.all(np.diff(found.at) > 0) and np.all(np.diff(found.mean) < 0)
    np.testing.assert_allclose(found.mean, 10 - 4 * found.at, atol=0.3)
    edges = np.quantile(MASS, np.linspace(0, 1, BINS + 1))
    first = returns[edges[1] > MASS]
    wanted = stats.t.interval(0.95, len(first) - 1, first.mean(), stats.sem(first))
    assert (found.low[0], found.high[0]) == pytest.approx(wanted, rel=1e-3)
    assert found.rank == pytest.approx(stats.spearmanr(MASS, returns).statistic)


def test_success_has_wilsons_interval() -> None:
    success = RNG.uniform(size=400) < np.clip(1.6 - MASS, 0, 1)
    found = binned(MASS, success)
    edges = np.quantile(MASS, np.linspace(0, 1, BINS + 1))
    last = success[edges[-2] <= MASS]
    wanted = stats.binomtest(int(last.sum()), len(last)).proportion_ci(method="wilson")
    assert (found.low[-1], found.high[-1]) == pytest.approx((wanted.low, wanted.high))
    assert np.all((found.low >= 0) & (found.high <= 1) & (found.low <= found.mean) & (found.mean <= found.high))
    assert found.rank == pytest.approx(stats.spearmanr(MASS, success).statistic)
    sure = binned(np.arange(40.0), np.ones(40, bool))
    assert np.all(sure.high == 1) and np.all(sure.low < 1)


def test_few_values_have_a_bin_each_and_unknown_ones_none() -> None:
    values = np.array([1.0, 2.0, 2.0, np.nan, 1.0, 2.0])
    found = binned(values, np.array([1.0, 3.0, 5.0, 100.0, 2.0, 4.0]))
    assert found.at.tolist() == [1, 2] and found.mean.tolist() == [1.5, 4] and found.count.tolist() == [2, 3]
    assert len(binned(np.array([np.nan]), np.array([1.0])).at) == 0
    single = binned(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    assert np.all(np.isnan(single.low)) and np.isnan(single.rank)


def test_only_the_last_evaluation_of_the_domain_counts() -> None:
    table = EpisodeTable(
        domain=np.array(["source", "target", "target", "target"]),
        step=np.array([9, 1, 5, 5]),
        seed=np.arange(4),
        success=np.array([True, False, True, False]),
        returns=np.arange(4.0),
        length=np.ones(4, int),
        randomization={"mass": np.array([np.nan, 1.0, 2.0, 3.0]), "color_r": np.array([1.0, np.nan, np.nan, np.nan])},
    )
    found = latest(table, "target")
    assert found is not None and found.step == 5 and found.returns.tolist() == [2, 3]
    assert {name: values.tolist() for name, values in found.values.items()} == {"mass": [2, 3]}
    assert latest(table, "nowhere") is None
