"""The vectorized moving average against the recurrence written out point by point."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from widgets.curves.smoothing import time_weighted_ema


def naive(x: list[float], y: list[float], smoothing: float) -> list[float]:
    weight = min(math.sqrt(smoothing), 0.999)
    extent = x[-1] - x[0] or 1.0
    total, mass, result = 0.0, 0.0, []
    for i, value in enumerate(y):
        units = (x[i] - x[max(i - 1, 0)]) / extent * 1000.0
        keep = weight**units
        total, mass = total * keep + value, mass * keep + 1.0
        result.append(total / mass)
    return result


@pytest.mark.parametrize("smoothing", [0.001, 0.3, 0.6, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("spacing", ["even", "uneven", "gap"])
def test_equals_the_recurrence(smoothing: float, spacing: str) -> None:
    rng = np.random.default_rng(3)
    x = np.arange(1500.0)
    if spacing == "uneven":
        x = np.cumsum(rng.exponential(1.0, 1500))
    if spacing == "gap":
        x[700:] += 50_000
    y = np.exp(-x / 300) + rng.standard_normal(1500)
    assert np.allclose(time_weighted_ema(x, y, smoothing), naive(list(x), list(y), smoothing), rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@example([(0.0, 1.0), (5e-324, 2.0)], 0.5)  # the narrowest range there is
@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(-1e6, 1e6)), min_size=2, max_size=40),
    st.floats(0.001, 1),
)
def test_equals_the_recurrence_on_anything(points: list[tuple[float, float]], smoothing: float) -> None:
    x = np.cumsum([p[0] for p in points])
    y = np.array([p[1] for p in points])
    expected = np.array(naive(list(x), list(y), smoothing))
    assert np.allclose(time_weighted_ema(x, y, smoothing), expected, rtol=1e-7, atol=1e-4)


def test_zero_changes_nothing_and_gives_a_copy() -> None:
    y = np.array([3.0, 1.0, 2.0])
    result = time_weighted_ema(np.arange(3.0), y, 0)
    assert np.array_equal(result, y) and result is not y


def test_a_constant_stays_the_constant() -> None:
    for value in (0.7, -15.0, 1e9 / 3):
        assert (time_weighted_ema(np.arange(500.0), np.full(500, value), 0.95) == value).all()


def test_the_number_of_points_does_not_matter() -> None:
    """The same curve drawn with ten times the points is smoothed to the same shape; a plain EMA fails this."""
    coarse, fine = np.linspace(0, 1, 1001), np.linspace(0, 1, 10_001)
    step = [np.where(x < 0.5, 0.0, 1.0) for x in (coarse, fine)]
    a = time_weighted_ema(coarse, step[0], 0.9)
    b = time_weighted_ema(fine, step[1], 0.9)[::10]
    assert np.abs(a - b).max() < 0.06


def test_what_is_not_finite_is_left_out() -> None:
    x, y = np.arange(5.0), np.array([1.0, np.nan, 3.0, np.inf, 5.0])
    result = time_weighted_ema(x, y, 0.5)
    assert np.isnan(result[1]) and np.isinf(result[3])
    assert np.allclose(result[[0, 2, 4]], time_weighted_ema(x[[0, 2, 4]], y[[0, 2, 4]], 0.5))


def test_100k_points_take_a_few_milliseconds() -> None:
    x, y = np.arange(100_000.0), np.random.default_rng(0).standard_normal(100_000)
    best = math.inf
    for _ in range(5):
        start = time.perf_counter()
        time_weighted_ema(x, y, 0.6)
        best = min(best, time.perf_counter() - start)
    assert best < 0.03
