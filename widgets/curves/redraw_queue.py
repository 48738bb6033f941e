"""Which plots wait to be drawn, and when the next one is.

Plots follow numbers five times a second, and a person's wish twelve times, but less often where drawing them is dear:
training wants the interpreter too.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from PySide6.QtCore import QObject, QTimer, Signal

from widgets.curves.content import Key

REDRAW_MS = 80  # after what a person did
FOLLOW_MS = 200  # while numbers come: painting takes the interpreter from the training that makes them
_SHARE = 12.0  # drawing may take at most about a twelfth of the UI thread's time


class RedrawQueue(QObject):
    """See the module."""

    due = Signal()  # it is time to draw

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: set[Key] = set()
        self._hurried = False  # a person waits
        self._drawn: dict[Key, float] = {}  # when each plot was last drawn
        self._seconds = 0.0  # that the last drawing took
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.due)

    @property
    def is_empty(self) -> bool:
        """Whether no plot waits."""
        return not self._waiting

    def add(self, keys: Iterable[Key]) -> None:
        """Note that plots have something new to show."""
        self._waiting.update(keys)

    def keep(self, keys: Collection[Key]) -> None:
        """Forget all other plots."""
        self._waiting.intersection_update(keys)

    def hurry(self) -> None:
        """What waits is drawn soon, though the plots were only following a training."""
        if not self._hurried:
            self._hurried = True
            self._timer.stop()

    def schedule(self) -> None:
        """Make :attr:`due` come, at the present pace."""
        if self._waiting and not self._timer.isActive():
            pace = REDRAW_MS if self._hurried else FOLLOW_MS
            self._timer.start(max(pace, int(1000 * self._seconds * _SHARE)))

    def stop(self) -> None:
        """Make :attr:`due` not come until it is scheduled again."""
        self._timer.stop()

    def take(self, seen: Collection[Key], everything: bool) -> list[Key]:
        """Remove and return, of the plots that can be seen, the one that has waited longest, or all that wait."""
        waiting = sorted((key for key in self._waiting if key in seen), key=lambda key: self._drawn.get(key, 0.0))
        taken = waiting if everything else waiting[:1]  # painting one takes some ms of Python
        self._drawn.update(dict.fromkeys(taken, time.perf_counter()))
        self._waiting.difference_update(taken)
        return taken

    def drawn(self, seconds: float, seen: Collection[Key]) -> None:
        """Note how long drawing took, and go on with what waits among the plots that can be seen."""
        self._seconds = seconds
        if self._waiting.isdisjoint(seen):
            self._hurried = False
        else:
            self.schedule()
