"""Training contexts and held-out contexts of a task family."""

from __future__ import annotations

import numpy as np

from studio.contracts import ResolvedDomain, TaskSplit
from studio.errors import ExperimentError
from studio.rng import EpisodeRng
from studio.seeds import selection_seed

STREAM = 7  # the random stream of held-out contexts
HELD_OUT = 20  # held-out tasks inside the training range, and as many outside
BEYOND = 0.5  # how far outside they may lie, as a fraction of the range's width, on either side


def split(domain: ResolvedDomain, seed: int, count: int = HELD_OUT) -> TaskSplit:
    """Return a domain's training contexts, and ``count`` held-out ones inside and outside of the family's range.

    Held-out contexts come from a random stream that no episode draws from, or are those that a finite family keeps
    for it. Those outside are the family's own (:meth:`Task.outside`), or lie beyond its range; there are none for a
    family of finitely many tasks (``members``), or one whose range is not a box, that says none.

    Args:
        seed: the evaluation's.
    """
    task = domain.task
    if not task.context:
        return TaskSplit((), ())
    rng = EpisodeRng(np.arange(seed, seed + count), STREAM)
    inside = task.held_out or task.family(rng).tolist()
    outside = task.outside(rng)
    if outside is None and _is_box(domain):
        outside = _outside(domain, rng)
    beyond = () if outside is None else outside.tolist()
    return TaskSplit(domain.domain.contexts, inside, beyond, task.validation)


def held_out(domain: ResolvedDomain, which: str, seed: int, choosing: bool = False) -> ResolvedDomain:
    """Return the domain with contexts that no training draws.

    Args:
        which: ``"inside"`` the family's range or ``"outside"``; ``"none"``: the domain as it is.
        seed: of the evaluation.
        choosing: a policy is to be chosen, not scored: it has the contexts that the family keeps for that, or others
            than those of the score where they are drawn.

    Raises:
        ExperimentError: the family has no such contexts, or the domain chooses its own and the family keeps none.
    """
    if which == "none":
        return domain
    task, found = domain.task, split(domain, selection_seed(seed) if choosing else seed)
    contexts = found.inside if which == "inside" else found.outside
    words, remedy = "", "Set it to none."
    if not task.context:
        words = f"The task '{task.id}' is not a task family, so no task of it can be held out."
    elif domain.domain.contexts and not task.held_out:
        words, remedy = "The target's contexts are chosen already.", "Set it to none, or leave target.contexts empty."
    elif task.members and not task.held_out:
        words = f"The family of '{task.id}' has {len(task.members)} tasks, and training draws them all."
    elif not contexts:
        words, remedy = f"The family of '{task.id}' has no tasks outside its range.", "Set it to inside or none."
    if words:
        raise ExperimentError(words, "evaluation.held_out", remedy)
    chosen = found.validation if choosing and found.validation else contexts
    return domain.changed(domain.domain.changed(contexts=[list(context) for context in chosen]))


def single_tasks(domain: ResolvedDomain, seed: int) -> list[ResolvedDomain]:
    """Return a domain of each of the tasks that a domain's episodes are of: those that it chooses, or all of a finite
    family, or ``HELD_OUT`` of a family with more; the domain itself where its task is no family.

    Args:
        seed: of the evaluation, which draws the contexts of a family with more.
    """
    task = domain.task
    contexts = domain.domain.contexts or task.members or (split(domain, seed).inside if task.context else ())
    return [domain.changed(domain.domain.changed(contexts=[list(context)])) for context in contexts] or [domain]


def _is_box(domain: ResolvedDomain) -> bool:
    task = domain.task
    if task.members or not task.ranges:
        return False
    low, high = np.array(task.ranges, float).T
    corners = np.stack([low - BEYOND * (high - low), high + BEYOND * (high - low)])
    return not any(task.check_context(corner) for corner in corners)


def _outside(domain: ResolvedDomain, rng: EpisodeRng) -> np.ndarray:
    """Return contexts whose components all lie beyond their range, drawn uniformly on either side."""
    low, high = np.array(domain.task.ranges, float).T
    width, share = high - low, rng.uniform(-BEYOND, BEYOND, (len(low),))
    return np.where(share < 0, low + share * width, high + share * width)
