"""Worker threads that draw. They outlive the renderers that use them: making a thread's GL context takes half a second.

The caller draws too, on its own thread; workers take what is left. A worker that is busy or not ready yet causes no
delay.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Drawers = dict[int, Any]  # what a worker has in its GL context, by the renderer's key; each with a method close()
Task = Callable[[Drawers], None]

JOIN_S = 5.0  # how long the end of the program waits for a worker to free its context


class Job:
    """Rows to be drawn, in blocks that any thread may take."""

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
        """Draw blocks of rows until none is left. An error ends the job, and :meth:`wait` raises it."""
        while block := self._take():
            try:
                for row in block:
                    draw(row)
            except BaseException as error:  # Ctrl+C too: other threads still write into the same arrays
                self.fail(error)
            finally:
                with self._change:
                    self._taken -= 1
                    self._change.notify_all()

    def fail(self, error: BaseException) -> None:
        """End the job with an error."""
        with self._change:
            self._error = self._error or error
            self._next = self._rows
            self._change.notify_all()

    def wait(self) -> None:
        """Wait until every row is drawn; raise the first error of any thread."""
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
    """A thread that runs tasks in order, and owns what is in its GL context."""

    def __init__(self, number: int) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"render-worker-{number}", daemon=True)
        self._thread.start()

    def submit(self, task: Task) -> None:
        """Queue a task, which must not raise. May be called from any thread and from finalizers."""
        self._tasks.put(task)

    def shutdown(self) -> None:
        """Let the thread free its GL context's contents and end."""
        self._tasks.put(None)
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        drawers: Drawers = {}
        while (task := self._tasks.get()) is not None:
            task(drawers)
            del task  # it holds images
        for drawer in drawers.values():
            drawer.close()


_POOL: list[Worker] = []
_POOL_LOCK = threading.Lock()


def render_pool(count: int) -> list[Worker]:
    """Return the first ``count`` workers of this process, started at their first use."""
    with _POOL_LOCK:
        if count and not _POOL:
            # not earlier: functions registered later run first, and MuJoCo registers the end of its EGL display when
            # its first context is made
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
