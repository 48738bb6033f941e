"""Slow work off the UI thread, whose results come back on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Signal

from studio.cores import cores


class _Job(NamedTuple):
    work: Callable[[], Any]
    done: Callable[[Any], None]
    failed: Callable[[Exception], None]


class Background(QObject):
    """Functions on a few threads (``threads``; 0: one for each core).

    What a job refers to, widgets among it, is kept here until the UI thread takes the result: the last reference is
    never dropped on another thread, where a widget must not be destroyed.
    """

    _ended = Signal(int)  # number of the job

    def __init__(self, parent: QObject, threads: int = 0) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(threads or max(2, cores()), "background")
        self._jobs: dict[int, _Job] = {}
        self._outcomes: dict[int, tuple[Any, Exception | None]] = {}  # results and exceptions by number
        self._number = 0
        self._ended.connect(self._finish)

    @property
    def is_idle(self) -> bool:
        """Whether no job is open."""
        return not self._jobs

    def start(self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Run ``work`` on a thread, then ``done(result)`` or ``failed(exception)`` on the UI thread."""
        self._number += 1
        self._jobs[self._number] = _Job(work, done, failed)
        self._pool.submit(self._run, self._number)

    def close(self) -> None:
        """Drop the jobs that have not started, and wait for the others. No job is finished after this."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._jobs.clear()
        self._outcomes.clear()

    def _run(self, number: int) -> None:
        # nothing of the job is referred to from this frame when the UI thread learns of its end
        self._outcomes[number] = self._outcome(number)
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self._ended.emit(number)

    def _outcome(self, number: int) -> tuple[Any, Exception | None]:
        try:
            return self._jobs[number].work(), None
        except Exception as error:
            return None, error

    def _finish(self, number: int) -> None:
        if number not in self._jobs:  # its signal was queued when :meth:`close` was called
            return
        job, (result, error) = self._jobs.pop(number), self._outcomes.pop(number)
        if error is not None:
            job.failed(error)
        else:
            job.done(result)
