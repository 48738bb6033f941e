"""What a meta-learner is given: tasks to learn from, tasks to be scored on, and what it may use of a new one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.contracts.domain import ResolvedDomain

EXPERT = "expert"  # name of a reference line: the score of the scripted expert, who knows the task


@dataclass(frozen=True)
class Shots:
    """What an adaptation may use of a new task before it is scored; 0: zero-shot.

    Args:
        domain: the new task.
        count: how many support episodes, gradient steps or trial episodes, as the strategy defines its shots.
        seed: of the support, whose episodes no evaluation plays. A trial policy's is an exception: the first episodes
            of the trial that begins with this seed, as an evaluation plays it.
    """

    domain: ResolvedDomain
    count: int
    seed: int


@dataclass(frozen=True)
class TaskSplit:
    """Contexts of a task family, each (tasks, components): to meta-train on, and two held-out sets.

    Args:
        train: contexts to learn from; empty: the whole family is drawn from.
        inside: held-out contexts within the range of training.
        outside: held-out contexts beyond it; empty where the family has no beyond.
        validation: held-out contexts by which a policy is chosen; empty: the same as for its score.
    """

    train: Sequence[Sequence[float]]
    inside: Sequence[Sequence[float]]
    outside: Sequence[Sequence[float]] = ()
    validation: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class ReferenceLine:
    """A score to compare an adaptation with.

    Args:
        name: what reaches it, such as "standing still".
        scores: after 0, 1, 2 … shots; a single one holds after any number.
        source: "exact", or where it was published.
        of_family: it is a mean over the family's tasks, not the score on one.
    """

    name: str
    scores: tuple[float, ...]
    source: str = "exact"
    of_family: bool = False

    def after(self, shots: int) -> float:
        """Return the score after a number of shots; NaN where none is known."""
        if len(self.scores) == 1:
            return self.scores[0]
        return self.scores[shots] if shots < len(self.scores) else math.nan
