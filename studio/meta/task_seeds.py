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
        count: how many tasks at most; a domain's own contexts, or a finite family, may be fewer.
        first: of the ``TRIED`` · ``count`` seeds that are tried.
    """
    seeds = np.arange(first, first + TRIED * count)
    if not task.context:  # what differs are the randomized values
        return seeds[:count]
    drawn = contexts.draw(task, domain.contexts, EpisodeRng(seeds))
    _, places = np.unique(drawn, axis=0, return_index=True)
    return seeds[np.sort(places)[:count]]
