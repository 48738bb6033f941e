"""How an outcome depends on what was drawn: episodes against one randomized value, in bins with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from studio.store.log_reader import EpisodeTable

Array = np.ndarray

Z = 1.959964  # of a two-sided 95% interval
BINS = 8
TRAINING = 1_000  # episodes
LEAST = 5  # episodes in a bin


@dataclass(frozen=True)
class Outcomes:
    """Episodes of one evaluation: success (n,) bool, returns (n,), and what was drawn, name → (n,), NaN where not."""

    step: int
    success: Array
    returns: Array
    values: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.returns)


@dataclass(frozen=True)
class Bins:
    """Means over a value, (bins,) each: where, mean, ends of its 95% interval, episodes. ``rank`` is Spearman's."""

    at: Array
    mean: Array
    low: Array
    high: Array
    count: Array
    rank: float


def latest(table: EpisodeTable, domain: str) -> Outcomes | None:
    """Return a domain's last evaluation, or of ``train`` the latest ``TRAINING`` episodes; None: there are none."""
    mine = table.domain == domain
    if not mine.any():
        return None
    step = int(table.step[mine].max())
    if domain == "train":
        mine[np.flatnonzero(mine)[:-TRAINING]] = False
    else:
        mine &= table.step == step
    values = {name: column[mine] for name, column in table.randomization.items()}
    drawn = {name: column for name, column in values.items() if np.isfinite(column).any()}
    return Outcomes(step, table.success[mine], table.returns[mine], drawn)


def binned(values: Array, outcomes: Array) -> Bins:
    """Return means of outcomes over a value.

    Args:
        values: (n,); where it is NaN the episode is left out.
        outcomes: (n,); bool is success, whose interval is Wilson's, else it is Student's.

    Returns:
        Bins of as many episodes each, at most ``BINS`` and of at least ``LEAST``; where values repeat, one for each.
    """
    known = np.isfinite(values)
    values, outcomes = np.asarray(values, float)[known], np.asarray(outcomes)[known]
    binary = outcomes.dtype == bool
    distinct = np.unique(values)
    if len(distinct) <= BINS:
        place = np.searchsorted(distinct, values)
    else:
        bins = min(BINS, max(1, len(values) // LEAST))
        edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
        place = np.searchsorted(edges, values, side="right")
    rows = []
    for bin in np.unique(place):
        inside = outcomes[place == bin].astype(float)
        ends = _wilson(inside) if binary else _student(inside)
        rows.append((values[place == bin].mean(), inside.mean(), *ends, len(inside)))
    at, mean, low, high, count = np.array(rows).reshape(-1, 5).T
    return Bins(at, mean, low, high, count, _spearman(values, outcomes.astype(float)))


def _wilson(outcomes: Array) -> tuple[float, float]:
    n, p = len(outcomes), float(outcomes.mean())
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    # a bin without failures reaches 1 whatever the rounding
    return (0.0 if p == 0 else middle - half), (1.0 if p == 1 else middle + half)


def _student(outcomes: Array) -> tuple[float, float]:
    n, mean = len(outcomes), float(outcomes.mean())
    if n < 2:
        return math.nan, math.nan
    free = n - 1
    # Cornish and Fisher's expansion of Student's quantile; within 1% from 4 degrees of freedom on
    t = Z + (Z**3 + Z) / (4 * free) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * free**2)
    half = t * float(outcomes.std(ddof=1)) / math.sqrt(n)
    return mean - half, mean + half


def _spearman(values: Array, outcomes: Array) -> float:
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(outcomes) == 0:
        return math.nan
    return float(np.corrcoef(_ranks(values), _ranks(outcomes))[0, 1])


def _ranks(values: Array) -> Array:
    """Return ranks, their mean where values repeat."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2)[inverse]
    return ranks
