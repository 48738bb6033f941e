"""Exact values of Bernoulli bandits whose payment probabilities are uniform: of the Bayes-optimal rule, of Thompson
sampling, and of a deterministic policy, all by dynamic programming or enumeration.

A lever that paid s times and failed f times has the posterior Beta(1 + s, 1 + f) and pays next with probability
(1 + s) / (2 + s + f). Levers are alike, so a history matters by the sorted counts of all levers alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

Counts = tuple[int, int]  # payments and failures of a lever
History = tuple[Counts, ...]  # of all levers, sorted
Array = np.ndarray
GRID = 2001  # points of the integral over a lever's probability


def optimal_value(levers: int, pulls: int) -> float:
    """Return the expected total payment of the Bayes-optimal rule (Bellman's equation on the posterior)."""

    @cache
    def value(history: History, left: int) -> float:
        if not left:
            return 0.0
        return max(_after(history, lever, left, value) for lever in set(history))

    return value(((0, 0),) * levers, pulls)


def thompson_value(levers: int, pulls: int) -> float:
    """Return the expected total payment of Thompson sampling: each lever is pulled with the probability that it is the
    best one, given the payments so far."""

    @cache
    def value(history: History, left: int) -> float:
        if not left:
            return 0.0
        shares = best_probabilities(tuple(sorted(Counter(history).items())))
        return sum(share * _after(history, lever, left, value) for lever, share in shares.items())

    return value(((0, 0),) * levers, pulls)


def policy_value(levers: int, pulls: int, act: Callable[[Array, Array, Array], Array]) -> float:
    """Return the expected total payment of a deterministic policy, by following it through every sequence of payments.

    Args:
        act: called once for each pull with the number of the pull, (n,), the lever pulled before, (n,), −1 at first,
            and what it paid, (n,): each row a history, of which there are 2^pulls. It returns the next levers, (n,),
            and keeps its own memory of the rows between the calls.
    """
    rows = 2**pulls
    outcomes = (np.arange(rows)[:, None] >> np.arange(pulls)) & 1
    counts = np.zeros((rows, levers, 2))
    probability, total = np.ones(rows), np.zeros(rows)
    levers_before, paid = np.full(rows, -1), np.zeros(rows)
    for pull in range(pulls):
        chosen = act(np.full(rows, pull), levers_before, paid)
        own = counts[np.arange(rows), chosen]
        chance = (1 + own[:, 0]) / (2 + own.sum(1))
        paid = outcomes[:, pull].astype(float)
        probability *= np.where(paid > 0, chance, 1 - chance)
        counts[np.arange(rows), chosen, 1 - outcomes[:, pull]] += 1
        total += paid
        levers_before = chosen
    return float((probability * total).sum())


@cache
def best_probabilities(groups: tuple[tuple[Counts, int], ...]) -> dict[Counts, float]:
    """Return the probability that one of the levers with each count is the best of all, by numerical integration.

    Args:
        groups: the different counts, and how many levers have them.
    """
    grid = (np.arange(GRID) + 0.5) / GRID
    densities = {counts: _density(counts, grid) for counts, _ in groups}
    below = {counts: np.cumsum(density) / GRID - density / (2 * GRID) for counts, density in densities.items()}
    others = np.prod([below[counts] ** many for counts, many in groups], axis=0)
    shares = {
        counts: many * float((densities[counts] * others / np.maximum(below[counts], 1e-300)).mean())
        for counts, many in groups
    }
    whole = sum(shares.values())
    return {counts: share / whole for counts, share in shares.items()}


def _after(history: History, lever: Counts, left: int, value: Callable[[History, int], float]) -> float:
    """Return the expected payment from pulling a lever with these counts on."""
    paid, failed = lever
    chance = (1 + paid) / (2 + paid + failed)
    better, worse = (tuple(sorted(found)) for found in _followers(history, lever))
    return chance * (1 + value(better, left - 1)) + (1 - chance) * value(worse, left - 1)


def _followers(history: History, lever: Counts) -> Iterator[list[Counts]]:
    """Yield the histories after this lever paid, and after it failed."""
    place = history.index(lever)
    for paid, failed in ((1, 0), (0, 1)):
        yield [*history[:place], (lever[0] + paid, lever[1] + failed), *history[place + 1 :]]


def _density(counts: Counts, grid: Array) -> Array:
    """Return the posterior's density of a lever's probability on a grid, normalized there."""
    logs = counts[0] * np.log(grid) + counts[1] * np.log1p(-grid)
    density = np.exp(logs - logs.max())
    return np.asarray(density / density.mean())
