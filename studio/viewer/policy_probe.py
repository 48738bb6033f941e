"""How a playing policy evaluates each step: the return it expects, its entropy, and its score of the transition.

The player asks it once a control step and keeps the answers beside its history: they are drawn as traces
under the picture, and the score as the color of the path behind the robot.
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
    """One control step: where it led, and how the policy evaluates it; NaN or None where it does not."""

    step: int  # of the episode
    place: tuple[float, float, float]  # of the end effector, or of the first moving body, m
    action: Array | None = None  # (width,) that led here
    reward: float = math.nan
    value: float = math.nan
    entropy: float = math.nan
    score: float = math.nan  # of the transition that led here


class PolicyProbe:
    """Asks one policy for value, entropy and scores.

    Args:
        policy: None: there are no answers.
    """

    def __init__(self, policy: Policy | None) -> None:
        self._policy = policy
        self.scores = policy.transition_scores() if policy is not None else None
        # whether the policy has values, entropies or scores; None: not asked yet
        self.answers: bool | None = False if policy is None else True if self.scores is not None else None

    @property
    def title(self) -> str:
        """Title of its score, for the legend; empty where it has none."""
        return self.scores.title if self.scores is not None else ""

    def evaluate(self, observation: Any, memory: Any = None) -> dict[str, float]:
        """Return value and entropy of the observed state, (1, …), where the policy has them.

        Args:
            memory: as ``act`` left it before this observation.
        """
        if self._policy is None or self.answers is False:
            return {}
        answers = {
            "value": self._policy.value(observation, memory),
            "entropy": self._policy.entropy(observation, memory),
        }
        found = {name: float(values[0]) for name, values in answers.items() if values is not None}
        self.answers = self.scores is not None or bool(found)
        return found

    def score_transition(self, before: Any, action: Array, after: Any) -> float:
        """Return the score of one transition, NaN where the policy has none.

        Args:
            before, after: observations, (1, …).
            action: native, (1, width).
        """
        return float(self.scores.transition_score(before, action, after)[0]) if self.scores is not None else math.nan


def traces(records: Sequence[StepRecord]) -> dict[str, Array]:
    """Return action, reward, value, entropy and score over the steps, (steps, width) by name.

    NaN at steps without a number; what has none at any step is left out.
    """
    acted = next((r.action for r in records if r.action is not None), None)
    found: dict[str, Array] = {}
    if acted is not None:
        blank = np.full(len(acted), np.nan)
        found["action"] = np.array([r.action if r.action is not None else blank for r in records], float)
    for name in ("reward", "value", "entropy", "score"):
        found[name] = np.array([[getattr(r, name)] for r in records], float)
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def full_color(records: Sequence[StepRecord]) -> float:
    """Return the score that has the full color: a round number near the greatest, which seldom changes; 0: none."""
    scores = np.abs([r.score for r in records])
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return 0.0
    most = float(np.percentile(scores, SHARE))
    if most <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(m for m in (1, 1.5, 2, 3, 5, 7.5, 10) if most <= m * power * (1 + 1e-9)) * power


def colored_path(records: Sequence[StepRecord], full: float, extent: float) -> list[Line]:
    """Return the path of the last record's episode, each segment in the color of its mean score.

    Segments begin at steps that a power of two divides, so that they don't move while the path grows.

    Args:
        full: the score of the full color, see :func:`full_color`.
        extent: of the model, m.
    """
    first = len(records)
    while first > 0 and (first == len(records) or records[first - 1].step < records[first].step):
        first -= 1
    episode = records[first:]
    stride = 2 ** max(0, math.ceil(math.log2(max(1, len(episode) / SEGMENTS))))
    ends = [i for i, r in enumerate(episode) if r.step % stride == 0 or i in (0, len(episode) - 1)]
    if full <= 0 or len(ends) < 2:
        return []
    scores = np.array([r.score for r in episode])
    known = np.isfinite(scores)
    places = np.array(ends[:-1]) + 1  # a segment's scores are those of the transitions after its first step
    sums, counts = np.add.reduceat(np.where(known, scores, 0.0), places), np.add.reduceat(known.astype(int), places)
    shares = (sums / np.maximum(counts, 1) / full).tolist()
    return [
        Line(episode[start].place, episode[end].place, WIDTH * extent, diverging(share))
        for (start, end), share, count in zip(pairwise(ends), shares, counts.tolist(), strict=True)
        if count and episode[start].place != episode[end].place
    ]
