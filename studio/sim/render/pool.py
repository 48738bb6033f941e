"""Threads that help to draw. They outlive the renderers they help: a thread's GL context takes half a second to make.

Whoever asks for pictures draws too, on its own thread; helpers take what is left. A helper that is busy or not ready
yet delays nobody.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Kept = dict[int, Any]  # what a helper keeps in its GL context, by the renderer's key
Task = Callable[[Kept], None]

PATIENCE_S = 5.0  # how long the end of the program waits for a helper to free its context


class Job:
    """Rows to be drawn, taken in blocks by whoever comes first."""

    def __init__(self, rows: int, block: int) -> None:
        self._rows, self._block = rows, block
        self._next = self._taken = 0
        self._error: BaseException | None = None
        self._change = threading.Condition()

    @property
    def over(self) -> bool:
        """Whether there is nothing left to take."""
        return self._next >= self._rows

    def work(self, draw: Callable[[int], None]) -> None:
        """Draws blocks of rows until none is left. An error is kept for :meth:`wait`, and ends the job."""
        while block := self._take():
            try:
                for row in block:
                    draw(row)
            except BaseException as error:  # a stop by the user too: others still write into the same arrays
                self.fail(error)
            finally:
                with self._change:
                    self._taken -= 1
                    self._change.notify_all()

    def fail(self, error: BaseException) -> None:
        """Ends the job with an error."""
        with self._change:
            self._error = self._error or error
            self._next = self._rows
            self._change.notify_all()

    def wait(self) -> None:
        """Returns when every row is drawn; raises the first error that anyone met."""
        with self._change:
            self._change.wait_for(lambda: self.over and self._taken == 0)
        if self._error is not None:
            raise self._error

    def _take(self) -> range:
        with self._change:
            start = self._next
            self._next = min(self._rows, start + self._block)
            self._taken += self._next > start
            return range(start, self._next)


class Worker:
    """A thread that does what it is given, in order, and keeps what belongs to its GL context."""

    def __init__(self, number: int) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"render-helper-{number}", daemon=True)
        self._thread.start()

    def give(self, task: Task) -> None:
        """Hands over a task that does not raise. May be called from anywhere, a finalizer too."""
        self._tasks.put(task)

    def shutdown(self) -> None:
        """Lets the thread free what it keeps and end."""
        self._tasks.put(None)
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        kept: Kept = {}
        while (task := self._tasks.get()) is not None:
            task(kept)
            del task  # it holds images
        for thing in kept.values():
            thing.close()


_POOL: list[Worker] = []
_HIRING = threading.Lock()


def render_pool(count: int) -> list[Worker]:
    """The first ``count`` helpers of this process, hired at their first use."""
    with _HIRING:
        if count and not _POOL:
            # as late as this: functions registered later run earlier, and MuJoCo registers the end of its EGL display
            # when its first context is made
            atexit.unregister(_shutdown_all)
            atexit.register(_shutdown_all)
        while len(_POOL) < count:
            _POOL.append(Worker(len(_POOL) + 1))
        return _POOL[:count]


def _shutdown_all() -> None:
    while _POOL:
        _POOL.pop().shutdown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.clear)  # threads do not live on in a forked process
