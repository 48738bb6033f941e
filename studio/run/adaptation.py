"""What a strategy makes of one task: its scores, an episode, and what it believes after each number of shots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.run.belief import Belief
from studio.run.evaluate import Evaluation
from studio.sim.trajectory import Trajectory

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class AfterShots:
    """What a strategy is on a task after some shots of it.

    Args:
        score: over independent adaptations, whose spread its interval has.
        trajectory: of one episode after them.
        ends: where the episodes of the first adaptation end, (episodes, 3), m.
        belief: what it believes of the task there.
        support: where the episodes end that it was adapted to, (n, 3), m; none: they are not known.
    """

    shots: int
    score: Evaluation
    trajectory: Trajectory
    ends: Array
    belief: Belief
    support: Array

    def to_dict(self) -> dict[str, Any]:
        path = self.trajectory.path.round(5).tolist()
        support = self.support.round(5).tolist()
        about = {"path": path, "support": support, "belief": self.belief.to_dict()}
        return {"shots": self.shots, **self.score.to_dict(), **about}


@dataclass(frozen=True, eq=False)
class Adaptation:
    """A task and what a strategy is on it after each number of shots.

    Args:
        context: ω; empty: the task is of no family.
        is_inside: whether ω is within the range of training.
    """

    context: tuple[float, ...]
    is_inside: bool
    after: tuple[AfterShots, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "context": list(self.context),
            "inside": self.is_inside,
            "after": [one.to_dict() for one in self.after],
        }
