"""Sequential comparison of two policies on the same starts: it ends as soon as one of them is ahead beyond chance.

Both play the same episodes. Where one scores higher than the other, that one wins the episode; equal scores say nothing
and are left out, as in McNemar's test (1947). If neither policy is better, each win is a fair coin, whatever the
success rates are and however the two outcomes of a start depend on each other. So the number of wins is a fair random
walk, and the probability that it crosses a boundary is computed exactly. At each look the test may spend a share of
``alpha`` that grows with the episodes played (Lan and DeMets 1983, Biometrika 70; exact for binomial outcomes as in
Jennison and Turnbull 2000, chapter 12): over all looks a pair of equal policies is decided with a probability of at
most ``alpha``.

It speaks about the policies that are compared. Whether a strategy is better with new seeds is another question, which
the intervals over seeds answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Array = np.ndarray
BATCH = 10  # episodes of each policy between two looks


@dataclass(frozen=True)
class Decision:
    """What a sequential comparison found.

    ``ahead`` is 1 where the second policy is better, −1 where the first one is, 0 where neither is shown to be.
    ``wins`` and ``losses`` count the episodes in which the second one scored higher or lower. ``spent`` is the
    probability, exactly, with which equal policies would have been decided by now; it stays below ``alpha``.
    """

    played: int
    planned: int
    wins: int
    losses: int
    ahead: Literal[-1, 0, 1]
    alpha: float
    spent: float = 0.0

    @property
    def open(self) -> bool:
        """Whether playing on can still decide it."""
        return not self.ahead and self.played < self.planned


class SequentialTest:
    """A two-sided test of two policies by looks at batches of episodes.

    Args:
        planned: episodes of each policy, at most.
        alpha: probability, at most, that a pair of equal policies is decided.
    """

    def __init__(self, planned: int, alpha: float = 0.05) -> None:
        if planned < 1 or not 0 < alpha < 1:
            raise ValueError("a plan has at least one episode, and alpha lies between 0 and 1")
        self._alpha, self._planned = alpha, planned
        self._played = self._wins = self._losses = 0
        self._ahead: Literal[-1, 0, 1] = 0
        self._spent = 0.0
        self._paths = np.ones(1)  # P(wins = place, undecided so far), of equal policies

    def look(self, first: Array, second: Array) -> Decision:
        """Take the scores of the next episodes, (n,) of each policy on the same starts, and return what is decided."""
        if self._ahead:
            return self.decision
        second_is_higher, first_is_higher = int((second > first).sum()), int((second < first).sum())
        self._played += len(first)
        self._wins += second_is_higher
        self._losses += first_is_higher
        decisive = second_is_higher + first_is_higher
        self._paths = np.convolve(self._paths, _coins(decisive))
        allowed = self._alpha * spending(min(1.0, self._played / self._planned)) - self._spent
        tail = np.cumsum(self._paths)  # both tails are equal: P(at most this many wins) is P(at most as many losses)
        total = self._wins + self._losses
        # most of either side's wins with which the other side counts as ahead: −1, none; never half of all
        limit = min(int(np.searchsorted(2 * tail, allowed, side="right")) - 1, (total - 1) // 2)
        if limit >= 0:
            self._spent += float(2 * tail[limit])
            self._paths[: limit + 1] = 0.0
            self._paths[total - limit :] = 0.0
            if min(self._wins, self._losses) <= limit:
                self._ahead = 1 if self._wins > self._losses else -1
        return self.decision

    @property
    def decision(self) -> Decision:
        """What is decided so far."""
        return Decision(self._played, self._planned, self._wins, self._losses, self._ahead, self._alpha, self._spent)


def spending(share: float) -> float:
    """Return the part of alpha that may be spent once a share of the plan is played: Pocock's (Lan and DeMets 1983)."""
    return math.log(1 + (math.e - 1) * share)


def decide(first: Array, second: Array, planned: int, alpha: float = 0.05, batch: int = BATCH) -> Decision:
    """Return what looks after every ``batch`` episodes decide on scores that exist, (n,) each, on the same starts."""
    test = SequentialTest(planned, alpha)
    count = min(len(first), len(second), planned)
    for start in range(0, count, batch):
        end = min(start + batch, count)
        if test.look(first[start:end], second[start:end]).ahead:
            break
    return test.decision


def _coins(count: int) -> Array:
    """Return the distribution of heads among fair coins, (count + 1,)."""
    return np.array([math.comb(count, heads) for heads in range(count + 1)], float) / 2.0**count
