"""Keeps the table of runs equal to the runs folder, which other programs write to as well."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal
from shiboken6 import isValid

from studio.events import Progress
from widgets.curves.overlay import Overlay, key_of
from widgets.runs.disk import fingerprint
from widgets.runs.table import RunTable
from widgets.shell.app_state import AppState

if TYPE_CHECKING:
    from studio.store.runs import RunInfo

POLL_MS = 5_000  # runs of other programs
PROGRESS_SECONDS = 0.5  # between two drawings of the running session's progress


class RunListing(QObject):
    """Reads the runs in the background and fills the table with them."""

    listed = Signal()  # the table holds what is on disk

    def __init__(self, app_state: AppState, overlay: Overlay, table: RunTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._app_state, self._overlay, self._table = app_state, overlay, table
        self._reading = self._read_again = self._announcing = False
        self._fingerprint: tuple[Any, ...] | None = None
        self._progress_drawn = (0.0, "")  # when the progress was last drawn, and of which stage
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self.look)
        app_state.runs_changed.connect(self.refresh)
        app_state.progress.connect(self._take_progress)

    @property
    def is_polling(self) -> bool:
        """Whether the runs folder is looked at again and again."""
        return self._poll.isActive()

    def set_polling(self, on: bool) -> None:
        """Look at the runs folder every five seconds, or no longer."""
        if on:
            self._poll.start()
        else:
            self._poll.stop()

    def refresh(self) -> None:
        """Read the runs again, in the background; a request during a reading is served after it."""
        if self._announcing:
            return
        if self._reading:
            self._read_again = True
            return
        self._reading = True
        folder, list_runs = self._app_state.runs_folder, self._app_state.engine.list_runs

        def done(result: tuple[tuple[Any, ...], list[Any]]) -> None:
            if not isValid(self):
                return
            self._reading = False
            self._fingerprint, runs = result
            self._take(runs)
            if self._read_again:
                self._read_again = False
                self.refresh()

        def failed(error: Exception) -> None:
            if isValid(self):
                self._reading = False
                self._app_state.report(error, self.tr("The runs cannot be listed"))

        self._app_state.background(lambda: (fingerprint(folder), list_runs(folder)), done, failed)

    def look(self) -> None:
        """Ask in the background whether anything changed on disk, and read the runs only then."""
        self._table.tick()
        folder, known = self._app_state.runs_folder, self._fingerprint

        def done(found: tuple[Any, ...]) -> None:
            if isValid(self) and found != known:
                self.refresh()

        if not self._reading:
            self._app_state.background(lambda: fingerprint(folder), done)

    def _take(self, runs: list[RunInfo]) -> None:
        before: dict[Path, Any] = {key_of(run.folder): run for run in self._table.rows}
        self._table.set_runs(runs)
        self._overlay.learn(runs)
        self.listed.emit()
        live = self._overlay.live
        foreign = [r for r in runs if before.get(key_of(r.folder)) != r and key_of(r.folder) != live]
        if before and any(self._overlay.is_shown(run.folder) for run in foreign):
            self._announcing = True  # another program's run grew: the curves must read it, this table has
            self._app_state.runs_changed.emit()
            self._announcing = False

    def _take_progress(self, progress: Progress | None) -> None:
        if progress is None or self._overlay.live is None:
            return
        now, (when, stage) = time.monotonic(), self._progress_drawn
        if now - when >= PROGRESS_SECONDS or stage != progress.stage or progress.stage_fraction >= 1:
            self._progress_drawn = (now, progress.stage)
            self._table.set_progress(self._overlay.live, progress.stage, progress.stage_fraction)
