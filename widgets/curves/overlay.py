"""Which runs are drawn in the curves, and in which color: one answer for all panels of a window's state."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from studio.events import Event, StateChanged
from widgets.shell.app_state import AppState
from widgets.style import theme

ENDED = ("finished", "stopped", "failed", "interrupted")


def key_of(folder: Path | str) -> Path:
    """A run's folder in the one spelling that can be compared; the disk is not asked."""
    return Path(os.path.abspath(folder))  # noqa: PTH100  (resolve() asks the disk)


class Overlay(QObject):
    """Lives as long as the window. A run keeps its color while it is shown; the running one is always shown."""

    changed = Signal()

    def __init__(self, app_state: AppState) -> None:
        super().__init__(app_state)
        self._app_state = app_state
        self._index: dict[Path, int] = {}
        self.shown: list[Path] = []
        self.live: Path | None = None
        self.live_state = ""
        app_state.runs_selected.connect(self._take)
        app_state.events.connect(self._take_events)

    @classmethod
    def of(cls, app_state: Any) -> Overlay:
        """The one that all panels of this window's state share."""
        found = app_state.findChild(cls)
        return found if found is not None else cls(app_state)

    def is_shown(self, folder: Path) -> bool:
        """Whether the run is drawn."""
        return key_of(folder) in self._index and key_of(folder) in self.shown

    def color(self, folder: Path | None) -> QColor:
        """The run's color; the first one for a run that has none."""
        return theme.series(self._index.get(key_of(folder), 0) if folder is not None else 0)

    def select(self, folders: Iterable[Path]) -> None:
        """Draws these runs from now on, and tells the window's state."""
        self._app_state.runs_selected.emit([key_of(f) for f in folders])

    def set_shown(self, folders: Iterable[Path], shown: bool) -> None:
        """Adds runs to those drawn, or takes them away."""
        changed = [key_of(f) for f in folders]
        kept = [f for f in self.shown if f not in changed]
        self.select([*kept, *changed] if shown else kept)

    def run_of(self, run: str) -> Path:
        """The folder behind what a session calls its run: a path, or a name in the runs folder."""
        path = Path(run)
        return key_of(path if path.parent != Path() else self._app_state.runs_folder / run)

    def _take(self, folders: list[Path]) -> None:
        wanted = list(dict.fromkeys(key_of(f) for f in folders))
        if wanted == self.shown:
            return
        taken: set[int] = set()
        for folder in wanted:  # what was given stays, unless another run got it while this one was hidden
            index = self._index.get(folder)
            if index is not None and index not in taken:
                taken.add(index)
            else:
                self._index.pop(folder, None)
        for folder in wanted:
            if folder not in self._index:
                self._index[folder] = next(i for i in range(len(taken) + 1) if i not in taken)
                taken.add(self._index[folder])
        self.shown = wanted
        self.changed.emit()

    def _take_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, StateChanged):
                folder = self.run_of(event.run)
                fresh = folder != self.live or (self.live_state in ENDED and event.state not in ENDED)
                self.live, self.live_state = folder, event.state
                if fresh and event.state not in ENDED and folder not in self.shown:
                    self.select([*self.shown, folder])
                self.changed.emit()
