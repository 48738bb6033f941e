"""The measures of transfer, against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from studio.analysis import transfer_metrics as measures

STEPS = np.array([0.0, 100.0, 200.0, 400.0])
FAST = np.array([[2.0, 6.0, 8.0, 8.0], [4.0, 8.0, 10.0, 10.0]])
SLOW = np.array([[-2.0, 0.0, 2.0, 6.0], [0.0, 2.0, 4.0, 8.0]])


@pytest.mark.parametrize("count", [1, 4, 5, 10, 23])
def test_the_interquartile_mean_is_scipys_trimmed_mean(count: int) -> None:
    values = np.random.default_rng(count).exponential(size=count)
    assert measures.iqm(values) == pytest.approx(stats.trim_mean(values, 0.25))


def test_the_interval_is_scipys_percentile_bootstrap() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(3, 1, 40), rng.normal(1, 2, 25)
    gap = lambda a, b: float(np.mean(a) - np.mean(b))  # noqa: E731
    value, low, high = measures.interval(gap, one, other, resamples=8000)
    wanted = stats.bootstrap(
        (one, other), lambda a, b, axis: a.mean(axis) - b.mean(axis), method="percentile", n_resamples=8000,
        vectorized=True, random_state=1,
    ).confidence_interval  # fmt: skip
    assert value == pytest.approx(one.mean() - other.mean())
    assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=0.04)


def test_groups_are_resampled_apart_and_seeds_whole() -> None:
    curves = np.array([[0.0, 10.0], [1.0, 11.0]])  # rows keep their own end: its distance to the start never varies
    found = measures.interval(lambda c, d: float((c[:, 1] - c[:, 0]).mean() + len(d)), curves, np.zeros((7, 1)))
    assert found == (17.0, 17.0, 17.0)


def test_start_asymptote_and_area_of_straight_lines() -> None:
    assert measures.start(FAST).tolist() == [2, 4]
    assert measures.asymptote(FAST, share=0.5).tolist() == [8, 10]
    assert measures.asymptote(SLOW).tolist() == [6, 8]  # at least the last point
    steps, line = np.array([0.0, 10.0, 40.0]), np.array([[0.0, 10.0, 40.0], [5.0, 5.0, 5.0]])
    assert measures.area(steps, line).tolist() == [20, 5]


def test_time_to_a_threshold_is_read_between_the_points() -> None:
    assert measures.time_to(5.0, STEPS, SLOW).tolist() == [350, 250]
    assert measures.time_to(7.0, STEPS, SLOW).tolist() == [np.inf, 350]
    assert measures.time_to(2.0, STEPS, FAST).tolist() == [0, 0]
    assert measures.time_to(5.0, STEPS, np.array([[9.0, 0.0, 0.0, 0.0]])).tolist() == [0]


def test_the_area_ratio_does_not_depend_on_units_nor_on_the_sign_of_returns() -> None:
    fast, slow = measures.area(STEPS, FAST), measures.area(STEPS, SLOW)
    ratio = measures.area_ratio(fast, slow, -4.0, 10.0)
    assert ratio == pytest.approx((fast.mean() + 4) / (slow.mean() + 4) - 1)
    assert measures.area_ratio(3 * fast - 50, 3 * slow - 50, 3 * -4.0 - 50, 3 * 10.0 - 50) == pytest.approx(ratio)
    assert measures.area_ratio(slow, slow, -4.0, 10.0) == 0


def test_the_probability_of_negative_transfer_is_mann_whitneys() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 6, 8), rng.integers(0, 6, 5)
    statistic = stats.mannwhitneyu(other, one).statistic  # pairs in which ``other`` is ahead, ties half
    assert measures.negative_transfer(one, other) == pytest.approx(statistic / 40)


def test_all_measures_of_one_comparison() -> None:
    found = measures.compared(STEPS, FAST, SLOW, low=-4.0, high=10.0, threshold=7.0)
    assert found["jumpstart"][0] == 4 and found["asymptote"][0] == 9 and found["asymptotic_gain"][0] == 2
    assert found["time_to_threshold"][0] == pytest.approx((150 + 75) / 2) and found["reached"] == 2
    assert found["time_saved"][0] == pytest.approx((400 + 350) / 2 - (150 + 75) / 2)  # 400: never reached
    assert found["negative_transfer"][0] == 0.125  # one tie among four pairs
    assert all(low <= value <= high for value, low, high in (v for k, v in found.items() if k != "reached"))
    assert measures.forgetting(np.array([5.0, 6.0]), np.array([1.0, 7.0])).tolist() == [4, -1]
