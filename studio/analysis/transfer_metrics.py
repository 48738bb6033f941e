"""Measures of transfer in reinforcement learning, with intervals over seeds.

Measures after Taylor and Stone 2009 (JMLR 10, section 2.1); statistics after Agarwal et al. 2021 (arXiv:2108.13264). A
curve is a row of scores, (seeds, points), at the same ascending ``steps`` (points,) for every seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray
RESAMPLES = 4000


def iqm(values: Array) -> float:
    """Return the interquartile mean of all values: SciPy's ``trim_mean(…, 0.25)``; of five values that of three."""
    ordered = np.sort(np.asarray(values, float), axis=None)
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def interval(
    statistic: Callable[..., float], *groups: Array, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float, float]:
    """Return a statistic of groups, (seeds, …) each, and its 95% interval by the stratified percentile bootstrap.

    Seeds are resampled within each group, so that groups keep their sizes.
    """
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(group, float) for group in groups]
    sampled = [statistic(*(a[rng.integers(0, len(a), len(a))] for a in arrays)) for _ in range(resamples)]
    low, high = np.quantile(sampled, [0.025, 0.975])
    return float(statistic(*arrays)), float(low), float(high)


def start(curves: Array) -> Array:
    """Return the scores before any training, (seeds,): the difference of two is the jumpstart."""
    return np.asarray(curves, float)[:, 0]


def asymptote(curves: Array, share: float = 0.1) -> Array:
    """Return mean scores over the last ``share`` of the points, at least one, (seeds,)."""
    curves = np.asarray(curves, float)
    last = max(1, round(share * curves.shape[1]))
    return np.asarray(curves[:, -last:].mean(1))


def time_to(threshold: float, steps: Array, curves: Array) -> Array:
    """Return the steps at which each curve first reaches the threshold, interpolated, (seeds,); infinity: never."""
    steps, curves = np.asarray(steps, float), np.asarray(curves, float)
    found = np.full(len(curves), np.inf)
    for i, curve in enumerate(curves):
        reached = np.flatnonzero(curve >= threshold)
        if len(reached):
            k = reached[0]
            found[i] = steps[0] if k == 0 else np.interp(threshold, curve[k - 1 : k + 1], steps[k - 1 : k + 1])
    return found


def area(steps: Array, curves: Array) -> Array:
    """Return each curve's area by the trapezoidal rule over the span of the steps, (seeds,): its mean height."""
    steps, curves = np.asarray(steps, float), np.asarray(curves, float)
    return np.asarray(np.trapezoid(curves, steps, axis=1) / (steps[-1] - steps[0]))


def area_ratio(transferred: Array, scratch: Array, low: float, high: float) -> float:
    """Return (area with transfer − area without) / area without, of areas (seeds,) after low → 0, high → 1.

    Returns can cross zero, where a ratio of them means nothing. ``low`` is below what is reached without transfer.
    """
    with_transfer, without = (float(np.mean(a) - low) / (high - low) for a in (transferred, scratch))
    if without == 0:
        return math.inf if with_transfer > 0 else 0.0
    return (with_transfer - without) / without


def negative_transfer(transferred: Array, scratch: Array) -> float:
    """Return the share of all pairs whose training with transfer ends below that without; a tie counts half."""
    gap = np.asarray(transferred, float)[:, None] - np.asarray(scratch, float)[None]
    return float((gap < 0).mean() + 0.5 * (gap == 0).mean())


def forgetting(before: Array, after: Array) -> Array:
    """Return the loss of score on the source, (seeds,): the source policy's score there minus the adapted policy's."""
    return np.asarray(before, float) - np.asarray(after, float)


def compared(steps: Array, curves: Array, scratch: Array, low: float, high: float, threshold: float) -> dict[str, Any]:
    """Return all measures of curves with transfer against curves without, each as (value, low end, high end).

    Interquartile means over seeds. A time to the threshold that is never reached counts as the whole budget, so it is
    a lower bound where ``reached`` says less than all.
    """
    end = float(np.asarray(steps)[-1])
    times, theirs = (np.minimum(time_to(threshold, steps, c), end) for c in (curves, scratch))

    def gap(one: Array, other: Array) -> float:
        return iqm(one) - iqm(other)

    return {
        "jumpstart": interval(gap, start(curves), start(scratch)),
        "asymptote": interval(iqm, asymptote(curves)),
        "asymptotic_gain": interval(gap, asymptote(curves), asymptote(scratch)),
        "time_to_threshold": interval(iqm, times),
        "reached": int(np.isfinite(time_to(threshold, steps, curves)).sum()),
        "time_saved": interval(gap, theirs, times),
        "area_ratio": interval(
            lambda a, b: area_ratio(a, b, low, high), area(steps, curves), area(steps, scratch)
        ),
        "negative_transfer": interval(negative_transfer, asymptote(curves), asymptote(scratch)),
    }  # fmt: skip
