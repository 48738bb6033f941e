"""What a meta-learner is given: tasks to learn from, tasks to be scored on, and what it may use of a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.contracts.domain import ResolvedDomain


@dataclass(frozen=True)
class Shots:
    """What an adaptation may use of a new task before it is scored; 0: zero-shot.

    Args:
        domain: the new task.
        count: how many support episodes, gradient steps or trial episodes, as the strategy defines its shots.
        seed: of the support; an evaluation's episodes have other seeds.
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
