"""Exact values of Bernoulli bandits with a uniform prior: of the Bayes-optimal policy, of Thompson sampling, of any
deterministic policy, and of any policy that reads the counts alone, by dynamic programming or enumeration.

After s successes and f failures an arm's posterior is Beta(1 + s, 1 + f), and its next pull succeeds with probability
(1 + s) / (2 + s + f). Arms are exchangeable, so only the sorted counts of all arms matter.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, combinations_with_replacement

import numpy as np

Counts = tuple[int, int]  # successes and failures of an arm
History = tuple[Counts, ...]  # of all arms, sorted
Array = np.ndarray
GRID = 2001  # points of the integral over an arm's probability


def optimal_value(arms: int, pulls: int) -> float:
    """Return the expected return of the Bayes-optimal policy (Bellman's equation on the posterior)."""

    @cache
    def value(history: History, left: int) -> float:
        if not left:
            return 0.0
        return max(_after(history, arm, left, value) for arm in set(history))

    return value(((0, 0),) * arms, pulls)


def thompson_value(arms: int, pulls: int) -> float:
    """Return the expected return of Thompson sampling: each arm is pulled with the posterior probability that it is the
    best."""

    @cache
    def value(history: History, left: int) -> float:
        if not left:
            return 0.0
        shares = best_probabilities(tuple(sorted(Counter(history).items())))
        return sum(share * _after(history, arm, left, value) for arm, share in shares.items())

    return value(((0, 0),) * arms, pulls)


def policy_value(arms: int, pulls: int, act: Callable[[Array, Array, Array], Array]) -> float:
    """Return the expected return of a deterministic policy, by following it through every sequence of rewards.

    Args:
        act: called once for each pull with the number of the pull, (n,), the arm pulled before, (n,), −1 at first, and
            its reward, (n,): each row a history, of which there are 2^pulls. It returns the next arms, (n,), and keeps
            its own memory of the rows between the calls.
    """
    rows = 2**pulls
    outcomes = (np.arange(rows)[:, None] >> np.arange(pulls)) & 1
    counts = np.zeros((rows, arms, 2))
    probability, total = np.ones(rows), np.zeros(rows)
    before, reward = np.full(rows, -1), np.zeros(rows)
    for pull in range(pulls):
        chosen = act(np.full(rows, pull), before, reward)
        own = counts[np.arange(rows), chosen]
        chance = (1 + own[:, 0]) / (2 + own.sum(1))
        reward = outcomes[:, pull].astype(float)
        probability *= np.where(reward > 0, chance, 1 - chance)
        counts[np.arange(rows), chosen, 1 - outcomes[:, pull]] += 1
        total += reward
        before = chosen
    return float((probability * total).sum())


def counts_value(arms: int, pulls: int, probabilities: Callable[[Array], Array], rows: int = 20_000) -> float:
    """Return the expected return of a policy that draws its arms from probabilities which depend on all counts.

    Nothing is assumed of its symmetry: of k arms and n pulls there are (2k + n − 1 choose n − 1) counts to ask for.

    Args:
        probabilities: of counts, (n, arms, 2), those of the arms, (n, arms).
        rows: that it is asked for at once.
    """
    value = np.zeros(math.comb(2 * arms + pulls - 1, pulls))  # after the last pull
    for made in reversed(range(pulls)):
        entries = chain.from_iterable(combinations_with_replacement(range(2 * arms), made))
        histories = np.fromiter(entries, np.int16).reshape(math.comb(2 * arms + made - 1, made), made)
        found = np.empty(len(histories))
        for start in range(0, len(histories), rows):
            part = histories[start : start + rows]
            counts = (part[:, :, None] == np.arange(2 * arms)).sum(1).reshape(-1, arms, 2)
            chances = (1 + counts[..., 0]) / (2 + counts.sum(-1))
            after = np.stack([value[_place(part, cell)] for cell in range(2 * arms)], 1).reshape(-1, arms, 2)
            pulled = chances * (1 + after[..., 0]) + (1 - chances) * after[..., 1]
            found[_place(part)] = (probabilities(counts) * pulled).sum(1)
        value = found
    return float(value[0])


@cache
def best_probabilities(groups: tuple[tuple[Counts, int], ...]) -> dict[Counts, float]:
    """Return the probability that one of the arms with each count is the best of all, by numerical integration.

    Args:
        groups: the different counts, and how many arms have them.
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


def _place(histories: Array, more: int | None = None) -> Array:
    """Return the place of each sorted history, (n, length), among all that are as long, with one more entry if given:
    its rank in the combinatorial number system, in which entry i counts (entry + i choose i + 1)."""
    if more is not None:
        histories = np.sort(np.insert(histories, 0, more, axis=1), axis=1)
    length = histories.shape[1]
    most = int(histories.max(initial=0)) + length
    binomials = np.array([[math.comb(m, i + 1) for m in range(most + 1)] for i in range(length)], np.int64)
    return np.asarray(sum((binomials[i][histories[:, i] + i] for i in range(length)), np.zeros(len(histories), int)))


def _after(history: History, arm: Counts, left: int, value: Callable[[History, int], float]) -> float:
    """Return the expected return from pulling an arm with these counts on."""
    successes, failures = arm
    chance = (1 + successes) / (2 + successes + failures)
    better, worse = (tuple(sorted(found)) for found in _followers(history, arm))
    return chance * (1 + value(better, left - 1)) + (1 - chance) * value(worse, left - 1)


def _followers(history: History, arm: Counts) -> Iterator[list[Counts]]:
    """Yield the histories after a success of this arm, and after a failure."""
    place = history.index(arm)
    for success, failure in ((1, 0), (0, 1)):
        yield [*history[:place], (arm[0] + success, arm[1] + failure), *history[place + 1 :]]


def _density(counts: Counts, grid: Array) -> Array:
    """Return the posterior's density of an arm's probability on a grid, normalized there."""
    logs = counts[0] * np.log(grid) + counts[1] * np.log1p(-grid)
    density = np.exp(logs - logs.max())
    return np.asarray(density / density.mean())
