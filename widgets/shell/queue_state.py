"""The queue as the window knows it: read whenever its file changes, and changed in the background."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from studio.run.queue import Queue
from studio.run.queue_entry import Entry
from studio.run.queue_time import seconds_left
from widgets.shell.background import Background

POLL_MS = 500


class QueueState(QObject):
    """Follows the queue of a runs folder, which other programs change as well.

    Args:
        queue: the queue.
        report: is called with what failed.
    """

    changed = Signal()  # the entries, or whether the queue is going

    def __init__(self, queue: Queue, report: Callable[[Exception], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.queue, self._report = queue, report
        self._background = Background(self, 1)  # of its own: a click must not wait for a robot that is being compiled
        self.entries: list[Entry] = []
        self.is_going = False
        self._stamp = 0
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being changed or read."""
        return self._background.is_idle

    @property
    def waiting(self) -> list[Entry]:
        """The entries that wait, in order."""
        return [entry for entry in self.entries if entry.state == "waiting"]

    @property
    def runs_elsewhere(self) -> bool:
        """Whether another program is running an entry."""
        return any(entry.state == "running" and entry.pid != os.getpid() for entry in self.entries)

    def time_left(self, present_left: float = math.nan) -> float:
        """Return the seconds until all has ended; NaN where nothing tells. ``present_left``: of the running one."""
        return seconds_left(self.entries, present_left)

    def look(self) -> None:
        """Read the queue where its file has changed."""
        stamp = self.queue.stamp()
        if stamp != self._stamp:
            self._stamp = stamp  # a file that cannot be read is reported once
            self.change(lambda: None)

    def change(self, work: Callable[[], object], then: Callable[[], None] = lambda: None) -> None:
        """Change the queue in the background and read it, then call ``then``."""

        def changed() -> object:
            work()
            return self.queue.stamp(), self.queue.entries(), self.queue.is_going

        def done(found: object) -> None:
            assert isinstance(found, tuple)
            self._stamp, self.entries, self.is_going = found
            self.changed.emit()
            then()

        if self._timer.isActive():
            self._background.start(changed, done, self._report)

    def close(self) -> None:
        """Look no longer, and wait for what is being changed."""
        self._timer.stop()
        self._background.close()
