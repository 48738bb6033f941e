"""What the Adaptation panel asks of the engine. All of it is slow, so none belongs on the UI thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import ReferenceLine, ResolvedDomain
from studio.errors import Stopped, StudioError
from studio.registry import Registry

if TYPE_CHECKING:
    from studio.run.adaptation import Adaptation
    from studio.run.evaluate import Evaluation
    from studio.run.meta_test import MetaTest
    from studio.store.runs import RunInfo
    from studio.viewer.steering import Component

FAMILY = 200  # contexts that the family's place in the plane is shown by


@dataclass(frozen=True)
class TaskFacts:
    """What the panel has to know of a run's family of tasks.

    Args:
        components: of ω, and how far a person may change each.
        ranges: that training's lie in, of each component.
        family: contexts that training may draw, (n, components).
        goal: how many components place the goal in the plane; 0: the goal is not a place there.
        inside, outside: held-out contexts.
        first: the context to begin with; empty: the task is of no family.
        step: of the checkpoint.
    """

    domain: ResolvedDomain
    components: tuple[Component, ...]
    ranges: tuple[tuple[float, float], ...]
    family: np.ndarray
    goal: int
    inside: Sequence[Sequence[float]]
    outside: Sequence[Sequence[float]]
    first: tuple[float, ...]
    step: int


class AdaptationJob:
    """Adapts one run's strategy to one task after another; one thread at a time.

    Args:
        keep_on: asked between two adaptations; where it is False the work ends.
    """

    def __init__(self, run: Path, registry: Registry, keep_on: Callable[[], bool]) -> None:
        self.run, self._registry, self._keep_on = run, registry, keep_on
        self._test: MetaTest | None = None
        self._results: Iterator[Adaptation] = iter(())

    def open(self) -> TaskFacts:
        """Restore the run's strategy at its newest checkpoint.

        Raises:
            StudioError: see :class:`studio.run.meta_test.MetaTest`.
            Stopped: the work was ended.
        """
        from studio.rng import EpisodeRng
        from studio.run.meta_test import MetaTest
        from studio.viewer import steering

        test = self._test = MetaTest(self.run, self._registry, self._tick)
        task, tasks = test.target.task, test.tasks
        components = steering.components(task, test.target.domain.contexts, margin_of_places=steering.BEYOND)
        family = task.family(EpisodeRng(range(FAMILY))) if task.context else np.zeros((0, 0))
        ranges = (task.ranges or _ends(task.members or family))[: len(components)]
        goal = steering.goal_components(task) if task.goal_in_plane else 0
        return TaskFacts(
            test.target, components, ranges, family, goal, tasks.inside, tasks.outside, test.first_context, test.step
        )

    def start(self, context: Sequence[float]) -> tuple[ReferenceLine, ...]:
        """Begin to adapt to a context; return what its scores are compared with."""
        assert self._test is not None, "the job is not open"
        self._results = self._test.adapt(context, tick=self._tick)
        return self._test.references(context)

    def next(self) -> Adaptation | None:
        """Return the scores with more adaptations behind them than before; None: these were all."""
        return next(self._results, None)

    def held_out(self, which: str, seen: Callable[[float], None]) -> dict[int, Evaluation]:
        """Return the scores over held-out tasks, ``inside`` or ``outside`` the range of training.

        Args:
            seen: called with the share that is done; it may raise to leave.
        """
        assert self._test is not None, "the job is not open"

        def tick(done: int, total: int) -> None:
            self._tick(done, total)
            seen(done / total)

        return self._test.held_out(which, tick=tick)

    def _tick(self, _done: int, _total: int) -> None:
        if not self._keep_on():
            raise Stopped


def _ends(contexts: Sequence[Sequence[float]] | np.ndarray) -> tuple[tuple[float, float], ...]:
    """Return the least and the greatest value of each component."""
    return tuple((min(column), max(column)) for column in np.asarray(contexts, float).T.tolist())


def adapting_runs(runs: Sequence[RunInfo], registry: Registry) -> list[RunInfo]:
    """Return those of the runs whose strategy adapts to a new task."""
    from studio.run.meta_test import adapts
    from studio.store.runs import experiment_of

    found = []
    for run in runs:
        try:
            if adapts(experiment_of(run), registry):
                found.append(run)
        except StudioError:
            continue  # a strategy or policy that is not installed
    return found
