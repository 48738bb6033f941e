"""What a playing policy says of each moment: what it expects, how undecided it is, and its score of what just happened.

The player asks it once a control step and keeps the answers beside its history: they are drawn as traces
under the picture, and the score as the color of the path behind the body.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from studio.contracts import Line, Policy
from studio.viewer.decorations import diverging

Array = np.ndarray
SEGMENTS = 120  # of a path at most: all are drawn with every picture
WIDTH = 0.005  # of a path, in extents of the model
SHARE = 95  # percentile of |score| that has the full color


@dataclass(frozen=True)
class StepRecord:
    """One control step: where it led, and what was said. NaN, or None, is what nobody said or what did not happen."""

    step: int  # of the episode
    place: tuple[float, float, float]  # of what is followed, m
    action: Array | None = None  # (width,) that led here
    reward: float = math.nan
    value: float = math.nan
    entropy: float = math.nan
    score: float = math.nan  # of the transition that led here


class PolicyProbe:
    """Asks one policy for value, entropy and scores.

    Args:
        policy: None: nobody is asked, nothing is answered.
    """

    def __init__(self, policy: Policy | None) -> None:
        self._policy = policy
        self.scores = policy.transition_scores() if policy is not None else None
        # whether the policy has anything to say; None: not asked yet
        self.answers: bool | None = False if policy is None else True if self.scores is not None else None

    @property
    def title(self) -> str:
        """Of its score, for the legend; empty where it has none."""
        return self.scores.title if self.scores is not None else ""

    def evaluate(self, observation: Any, memory: Any = None) -> dict[str, float]:
        """Return value and entropy of the observed state, (1, …), where the policy has them.

        Args:
            memory: as ``act`` left it before this observation.
        """
        if self._policy is None or self.answers is False:
            return {}
        said = {"value": self._policy.value(observation, memory), "entropy": self._policy.entropy(observation, memory)}
        found = {name: float(values[0]) for name, values in said.items() if values is not None}
        self.answers = self.scores is not None or bool(found)
        return found

    def score_transition(self, before: Any, action: Array, after: Any) -> float:
        """Return the score of one transition, NaN without one: observations (1, …), the native action (1, width)."""
        return float(self.scores.transition_score(before, action, after)[0]) if self.scores is not None else math.nan


def traces(moments: Sequence[StepRecord]) -> dict[str, Array]:
    """What was said over the moments, (moments, width) by name: action, reward, value, entropy, score; only what was
    said of some moment. NaN where nobody said it: what another policy said before is not said now."""
    acted = next((m.action for m in moments if m.action is not None), None)
    found: dict[str, Array] = {}
    if acted is not None:
        blank = np.full(len(acted), np.nan)
        found["action"] = np.array([m.action if m.action is not None else blank for m in moments], float)
    for name in ("reward", "value", "entropy", "score"):
        found[name] = np.array([[getattr(m, name)] for m in moments], float)
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def full_color(moments: Sequence[StepRecord]) -> float:
    """The score that has the full color: nearly the greatest, a round number, so that it seldom changes; 0: none."""
    scores = np.abs([m.score for m in moments])
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return 0.0
    most = float(np.percentile(scores, SHARE))
    if most <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(m for m in (1, 1.5, 2, 3, 5, 7.5, 10) if most <= m * power * (1 + 1e-9)) * power


def colored_path(moments: Sequence[StepRecord], full: float, extent: float) -> list[Line]:
    """The way through the moments of the last one's episode, each part in the color of its mean score.

    Parts begin at steps that a power of two divides, so that they don't move while the path grows.

    Args:
        full: the score of the full color, see :func:`full_color`.
        extent: of the model, m.
    """
    first = len(moments)
    while first > 0 and (first == len(moments) or moments[first - 1].step < moments[first].step):
        first -= 1
    mine = moments[first:]
    stride = 2 ** max(0, math.ceil(math.log2(max(1, len(mine) / SEGMENTS))))
    ends = [i for i, m in enumerate(mine) if m.step % stride == 0 or i in (0, len(mine) - 1)]
    if full <= 0 or len(ends) < 2:
        return []
    scores = np.array([m.score for m in mine])
    known = np.isfinite(scores)
    places = np.array(ends[:-1]) + 1  # a part's scores are those of the transitions after its first moment
    sums, counts = np.add.reduceat(np.where(known, scores, 0.0), places), np.add.reduceat(known.astype(int), places)
    shares = (sums / np.maximum(counts, 1) / full).tolist()
    return [
        Line(mine[start].place, mine[end].place, WIDTH * extent, diverging(share))
        for (start, end), share, count in zip(pairwise(ends), shares, counts.tolist(), strict=True)
        if count and mine[start].place != mine[end].place
    ]
