"""Smoothing of curves: an exponential moving average that knows how far apart its points lie.

The semantics are those of Weights & Biases' "time weighted EMA": the horizontal range is scaled to 1,000 units and the
square root of the slider's value is the weight that remains after one unit. So the slider means the same for 100 points
as for 100,000, and a gap forgets.
"""

from __future__ import annotations

import numpy as np

SPAN = 1000.0  # units the horizontal range is scaled to
_MAX_WEIGHT = 0.999
_BLOCK = 200.0  # exponents stay below this within a block; exp(200)² is still a double


def time_weighted_ema(x: np.ndarray, y: np.ndarray, smoothing: float) -> np.ndarray:
    """Smooth ``y`` over ``x`` (both (n,), ``x`` ascending). ``smoothing`` lies in [0, 1]; 0 returns ``y``.

    ``y`` may have a row for each of several curves over the same ``x``, (k, n). Points that are not finite are left out
    of the average and stay as they are.
    """
    y = np.asarray(y, np.float64)
    x = np.asarray(x, np.float64)
    if smoothing <= 0 or len(x) < 2:
        return y.copy()
    finite = np.isfinite(y)
    if not finite.all():
        if y.ndim > 1:
            return np.stack([time_weighted_ema(x, row, smoothing) for row in y])
        result = y.copy()
        result[finite] = time_weighted_ema(x[finite], y[finite], smoothing)
        return result
    extent = x[-1] - x[0]
    if extent <= 0:
        extent = 1.0
    weight = min(float(np.sqrt(smoothing)), _MAX_WEIGHT)
    # The decay from point to point, as a logarithm: the recurrence s[i] = exp(-decay[i]) * s[i-1] + y[i] then has the
    # closed form of a cumulative sum. It is taken in blocks, because exp(total decay) would overflow.
    decay = np.diff(x, prepend=x[0]) / extent * (SPAN * -np.log(weight))
    total = np.cumsum(decay)
    result = np.empty_like(y)
    start, carried, mass = 0, np.zeros((*y.shape[:-1], 1)), 0.0
    while start < len(x):
        base = total[start] - decay[start]  # the point before the block
        if decay[start] > _BLOCK:  # a gap so wide that nothing of before remains
            base, carried, mass = total[start], np.zeros_like(carried), 0.0
        stop = max(start + 1, int(np.searchsorted(total, base + _BLOCK, side="right")))
        grown = np.exp(total[start:stop] - base)
        sums = carried + np.cumsum(y[..., start:stop] * grown, axis=-1)
        masses = mass + np.cumsum(grown)
        np.divide(sums, masses, out=result[..., start:stop])
        carried, mass = sums[..., -1:] / grown[-1], masses[-1] / grown[-1]
        start = stop
    # an average lies among what it is of: rounding must not make a constant one that moves
    lowest, highest = np.minimum.accumulate(y, axis=-1), np.maximum.accumulate(y, axis=-1)
    return np.clip(result, lowest, highest, out=result)
