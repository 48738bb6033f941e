"""Frames of each domain of a run, on which the features of its checkpoints are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from studio.contracts import Array, Episodes, Observation
from studio.data.datasets import demonstrations
from studio.errors import DataError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.sim.domains import resolve

Tick = Callable[[int, int], None]

FRAMES = 512  # of each domain
FRAMES_IN_ALL = 2048


@dataclass(frozen=True)
class DomainFrames:
    """Frames of one domain, evenly spread over its episodes. Those of every other episode take turns: a probe that is
    fitted on the even rows is scored, on the odd ones, on episodes that it has not seen.

    Args:
        field: of the experiment: target, source, sources.1 ….
        actions: the recorded ones, (n, width).
        episodes: the number of each frame's episode, (n,).
        classes: the recorded choices, (n,), under a discrete control; else None.
    """

    field: str
    embodiment: str
    control: str
    observations: Observation
    actions: Array
    episodes: Array
    classes: Array | None

    def __len__(self) -> int:
        return len(self.actions)

    def is_like(self, other: DomainFrames) -> bool:
        """Return whether they are of the same robot under the same control."""
        return (self.embodiment, self.control) == (other.embodiment, other.control)


def domain_frames(
    experiment: Experiment, registry: Registry, frames: int = FRAMES, tick: Tick | None = None
) -> list[DomainFrames]:
    """Return frames of the target and of each source: of the demonstrations that a run of the experiment learns from,
    or of as many by the scripted expert.

    Args:
        frames: of each domain, at most; fewer where there are many domains.
        tick: called with (episodes made, episodes asked for) while the expert plays; it may raise to stop.

    Raises:
        DataError: a domain has neither a dataset nor an expert.
    """
    found = []
    count = min(frames, FRAMES_IN_ALL // len(experiment.domains))
    for field, domain in experiment.domains.items():
        few = domain.model_copy(update={"episodes": min(domain.episodes, count)})
        resolved = resolve(few, registry)
        if domain.dataset is None and not resolved.task.has_expert:
            words = f"The task '{domain.task}' has neither recordings nor a scripted expert, so no states to compare."
            raise DataError(words, field, "Name a dataset of the domain.")
        seed = experiment.seed if field == "target" else experiment.pretraining.seed
        episodes = demonstrations(resolved, seed, tick)
        rows = spread_rows(episodes.lengths, count)
        found.append(_taken(field, few.embodiment, few.control, episodes, rows))
    return found


def _taken(field: str, embodiment: str, control: str, episodes: Episodes, rows: Array) -> DomainFrames:
    actions = episodes.actions[rows]
    return DomainFrames(
        field,
        embodiment,
        control,
        {name: values[rows] for name, values in episodes.observations.items()},
        actions,
        np.repeat(np.arange(len(episodes)), episodes.lengths)[rows],
        actions[:, 0].astype(int) if episodes.discrete else None,
    )


def spread_rows(lengths: Array, count: int) -> Array:
    """Return at most ``count`` rows, evenly spread over episodes of these lengths, (episodes,).

    The even ones are of the episodes 0, 2, 4 …, the odd ones of 1, 3, 5 …; of a single episode, of its two halves.
    """
    numbers = np.repeat(np.arange(len(lengths)), lengths)
    halves = numbers % 2 if len(lengths) > 1 else (np.arange(len(numbers)) >= len(numbers) / 2).astype(int)
    even, odd = (np.flatnonzero(halves == half) for half in (0, 1))
    each = min(count // 2, len(even), len(odd))
    chosen = [part[np.linspace(0, len(part) - 1, each).round().astype(int)] for part in (even, odd)]
    return np.stack(chosen, 1).reshape(-1)
