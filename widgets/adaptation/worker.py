"""Works off what the Adaptation panel asks for, one piece at a time: open a run, adapt, score held-out tasks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from studio.errors import Stopped
from widgets.adaptation.job import AdaptationJob, TaskFacts
from widgets.shell.app_state import AppState

if TYPE_CHECKING:
    from studio.run.evaluate import Evaluation


class AdaptationWorker(QObject):
    """The newest context counts: what is asked for while another is worked on comes next, and the rest is dropped.

    Nothing is worked on while a run trains in this program, whose random numbers it would draw.
    """

    opened = Signal(object)  # TaskFacts
    referenced = Signal(object)  # tuple[ReferenceLine, …] of the context that is adapted to
    adapted = Signal(object)  # Adaptation; again and again, with more behind its scores
    scored = Signal(str, object)  # inside or outside: dict[int, Evaluation]
    failed = Signal(object)  # Exception
    busy_changed = Signal(bool)

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._job: AdaptationJob | None = None
        self._is_open = self._is_working = self._goes_on = False
        self._context: tuple[float, ...] | None = None  # that is to be adapted to next
        self._begins = False  # the newest context is worked on, and has no result yet
        self._held_out: list[str] = []  # that are being scored, and to be scored next
        self._share = 0.0  # of the first of them; written by the thread that scores
        self._asked = 0  # how many were asked for
        app_state.running_changed.connect(lambda _: self._work())

    @property
    def run(self) -> Path | None:
        """The run that is worked on."""
        return self._job.run if self._job is not None else None

    @property
    def is_busy(self) -> bool:
        """Whether something is worked on, or waits."""
        waits = not self._is_open or self._context is not None or self._goes_on or bool(self._held_out)
        return self._job is not None and (self._is_working or waits)

    @property
    def is_awaited(self) -> bool:
        """Whether the context that was asked for last has no result yet: what was emitted is another one's."""
        return self._job is not None and (self._context is not None or self._begins)

    @property
    def scored_share(self) -> float | None:
        """How much of the held-out tasks that were asked for is scored; None: none are being scored."""
        waiting = len(self._held_out)
        return (self._asked - waiting + self._share) / self._asked if waiting else None

    def open(self, run: Path | None) -> None:
        """Work on a run from now on, from its newest checkpoint; None: on nothing."""
        registry = self._app_state.registry
        self._job = None if run is None else AdaptationJob(run, registry, lambda: self._is_wanted(run))
        self._is_open = self._goes_on = self._begins = False
        self._context, self._held_out = None, []
        self._work()

    def adapt(self, context: tuple[float, ...]) -> None:
        """Adapt to a context."""
        self._context = context
        self._work()

    def score(self, *which: str) -> None:
        """Score held-out tasks: ``inside``, ``outside``."""
        self._held_out, self._asked, self._share = [*which], len(which), 0.0
        self._work()

    def cancel_score(self) -> None:
        """Score no held-out tasks any more."""
        self._held_out = []
        self._work()

    def _is_wanted(self, run: Path) -> bool:
        return self._app_state.is_open and self.run == run

    def _work(self) -> None:
        job = self._job
        self.busy_changed.emit(self.is_busy)
        if job is None or self._is_working or self._app_state.is_running:
            return
        if not self._is_open:
            self._do(job, job.open, self._take_facts)
        elif self._context is not None:
            context, self._context, self._goes_on, self._begins = self._context, None, True, True
            self._do(job, lambda: (job.start(context), job.next()), self._take_first)
        elif self._held_out:
            asked, self._share = self._held_out, 0.0
            self._do(job, lambda: job.held_out(asked[0], partial(self._see, asked)), partial(self._take_scores, asked))
        elif self._goes_on:
            self._do(job, job.next, self._take_next)

    def _do(self, job: AdaptationJob, work: Callable[[], Any], take: Callable[[Any], None]) -> None:
        self._is_working = True

        def done(result: Any) -> None:
            self._is_working = False
            if job is self._job:
                take(result)
            self._work()

        def failed(error: Exception) -> None:
            self._is_working = False
            if job is self._job and not isinstance(error, Stopped):
                self._goes_on, self._begins, self._held_out = False, False, []
                if not self._is_open:
                    self._job = None
                self.failed.emit(error)
            self._work()

        self._app_state.background(work, done, failed)

    def _see(self, asked: list[str], share: float) -> None:
        """Take how much is scored, on the thread that scores.

        Raises Stopped if it was canceled or another task is requested, after which the group is scored again.
        """
        if asked is not self._held_out or self._context is not None:
            raise Stopped
        self._share = share

    def _take_scores(self, asked: list[str], scores: dict[int, Evaluation]) -> None:
        if asked is self._held_out:
            which = asked.pop(0)
            self._share = 0.0
            self.scored.emit(which, scores)

    def _take_facts(self, facts: TaskFacts) -> None:
        self._is_open = True
        self.opened.emit(facts)

    def _take_first(self, result: Any) -> None:
        references, first = result
        self._begins = False
        self.referenced.emit(references)
        self._take_next(first)

    def _take_next(self, found: Any) -> None:
        self._goes_on = found is not None
        if found is not None:
            self.adapted.emit(found)
