"""Means and bootstrap intervals over seeds and episodes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from studio.store.runs import RunInfo


def resampled_means(group: Sequence[RunInfo], resamples: int = 10_000) -> np.ndarray:
    """Return bootstrap means over seeds, and within each over its episodes.

    Binomial for successes; for returns normal, with the spread that the run's own interval shows."""
    rng = np.random.default_rng(0)
    if group[0].measure == "return":
        chosen = rng.integers(0, len(group), (resamples, len(group)))
        means, spreads = (np.array(v) for v in zip(*((r.success, (r.high - r.low) / 3.92) for r in group), strict=True))
        return np.asarray(rng.normal(means[chosen], spreads[chosen]).mean(1))
    rates = np.array([run.success for run in group])
    episodes = np.array([max(1, run.evaluation_episodes) for run in group])
    chosen = rng.integers(0, len(group), (resamples, len(group)))
    return rng.binomial(episodes[chosen], rates[chosen]).mean(1) / episodes.mean()


def known_mean(values: Iterable[float]) -> float | None:
    """Return the mean of the values that are not NaN; None where there is none."""
    known = [v for v in values if not math.isnan(v)]
    return float(np.mean(known)) if known else None
