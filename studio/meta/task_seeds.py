"""Seeds that stand for the training tasks of a family."""

from __future__ import annotations

import numpy as np

from studio.contracts import Task
from studio.experiment import Domain
from studio.rng import EpisodeRng
from studio.sim.tasks import contexts

Array = np.ndarray
TRIED = 32  # seeds for each task that is looked for: one of a hundred is missed once in e^32 times


def task_seeds(domain: Domain, task: Task, count: int, first: int) -> Array:
    """Return seeds, (tasks,), each of which draws another task: another context, or other randomized values.

    Args:
        count: how many tasks at most; a domain's own contexts, or a finite family, may be fewer. Where values are
            randomized there are as many as asked for, and each context has as many of them as another, or one more.
        first: of the ``TRIED`` · ``count`` seeds that are tried.
    """
    seeds = np.arange(first, first + TRIED * count)
    if not task.context:  # what differs are the randomized values
        return seeds[:count]
    earlier = _earlier(contexts.draw(task, domain.contexts, EpisodeRng(seeds)))
    if not any(contexts.varies(term) and term.resample != "once" for term in domain.randomization):
        return seeds[earlier == 0][:count]
    return np.sort(seeds[np.argsort(earlier, kind="stable")[:count]])


def _earlier(drawn: Array) -> Array:
    """Return how many rows before each, (n,), are the same."""
    rows = np.unique(drawn, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(rows, kind="stable")
    found = np.empty(len(rows), int)
    found[order] = np.arange(len(rows)) - np.searchsorted(rows[order], rows[order])
    return found
