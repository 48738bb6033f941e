"""The average of one metric over the seeds of a configuration, with its 95% interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from widgets.curves.data import VALUE, Axis, Series
from widgets.curves.smoothing import time_weighted_ema

KEPT = 4000  # averages
_T = (12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216, 2.22814)  # of 1 to 10 degrees


@dataclass(frozen=True)
class Average:
    """Arrays (n,): ``low`` and ``high`` are the 95% t-interval of the mean, ``least`` and ``greatest`` of the seeds."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    least: np.ndarray
    greatest: np.ndarray


def average(series: Sequence[Series], axis: Axis, smoothing: float) -> Average:
    """Return the average of at least two series, each smoothed, over the part of ``axis`` that all of them cover.

    Series whose points lie elsewhere are interpolated linearly at those of the longest.
    """
    places = [one.x(axis) for one in series]
    x = max(places, key=len)
    if all(len(own) == len(x) and np.array_equal(own, x) for own in places):
        stack = time_weighted_ema(x, np.stack([one.column(VALUE) for one in series]), smoothing)
    else:
        x = x[(x >= max(own[0] for own in places)) & (x <= min(own[-1] for own in places))]
        values = (one.smoothed(axis, smoothing) for one in series)
        stack = np.stack([np.interp(x, own, value) for own, value in zip(places, values, strict=True)])
    finite = np.isfinite(stack).all(axis=0)
    if not finite.all():  # a seed whose loss is infinite has no average there
        x, stack = x[finite], stack[:, finite]
    mean = stack.mean(axis=0)
    half = student(len(series) - 1) * stack.std(axis=0, ddof=1) / np.sqrt(len(series))
    return Average(x.copy(), mean, mean - half, mean + half, stack.min(axis=0), stack.max(axis=0))


class Averages:
    """Remembers averages until a series has new points: a live run redraws the plots again and again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, ...], tuple[tuple[object, ...], list[Series], Average]] = {}

    def of(self, series: Sequence[Series], axis: Axis, smoothing: float) -> Average:
        """Return :func:`average`, computed where it is not known."""
        key = tuple(id(one) for one in series)
        state = (axis, smoothing, *((one.version, len(one)) for one in series))
        found = self._kept.get(key)
        if found is None or found[0] != state:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            found = self._kept[key] = (state, list(series), average(series, axis, smoothing))
        return found[2]


def whole(series: Sequence[Series | None]) -> list[Series]:
    """Return the series that have points."""
    return [one for one in series if one is not None and len(one) and np.isfinite(one.column(VALUE)).any()]


def student(degrees: int) -> float:
    """Return the 97.5% quantile of Student's t distribution, to four digits.

    Of many degrees of freedom by Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5): the window does not
    wait for scipy.
    """
    if degrees <= len(_T):
        return _T[degrees - 1]
    z, d = 1.959963985, float(degrees)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return sum(term / d**power for power, term in enumerate(terms))
