"""Which runs are drawn in the curves, and in which color: one answer for all panels of a window's state."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from studio.events import Event, StateChanged
from studio.experiment import Experiment
from studio.run.queue_entry import Job
from widgets.shell.app_state import AppState
from widgets.style import theme

if TYPE_CHECKING:
    from studio.store.runs import RunInfo

ENDED = ("finished", "stopped", "failed", "interrupted")


def key_of(folder: Path | str) -> Path:
    """A run's folder in the one spelling that can be compared; the disk is not asked."""
    return Path(os.path.abspath(folder))  # noqa: PTH100  (resolve() asks the disk)


class Overlay(QObject):
    """Lives as long as the window. A run keeps its color while it is shown.

    The running session is shown automatically, with the others of its comparison; such runs make room for the
    next session, and for an experiment of another task. What a person chose stays until they remove it.
    """

    changed = Signal()

    def __init__(self, app_state: AppState) -> None:
        super().__init__(app_state)
        self._app_state = app_state
        self._index: dict[Path | str, int] = {}  # colors, of runs and of groups
        self.is_grouped = True
        self._seeds: dict[str, list[Path]] = {}  # finished runs that differ in their seeds alone, by configuration
        self._configuration: dict[Path, str] = {}  # of these runs
        self.shown: list[Path] = []
        self.live: Path | None = None
        self.live_state = ""
        self._automatic: dict[Path, str] = {}  # runs that nobody chose, and the task of each (empty: not known)
        self._task = ""  # of the session that starts
        self._is_next = False  # whether that continues a comparison
        app_state.runs_selected.connect(self._take)
        app_state.job_changed.connect(self._take_job)
        app_state.experiment_changed.connect(self._leave_other_tasks)
        app_state.events.connect(self._take_events)

    @classmethod
    def of(cls, app_state: AppState) -> Overlay:
        """Return the one that all panels of this window's state share."""
        found: Overlay | None = app_state.findChild(cls)
        return found if found is not None else cls(app_state)

    def is_shown(self, folder: Path) -> bool:
        """Whether the run is drawn."""
        return key_of(folder) in self.shown

    def color(self, folder: Path | None) -> QColor:
        """The run's color; the first one for a run that has none."""
        return theme.series(self._index.get(self._slot(key_of(folder)), 0) if folder is not None else 0)

    def learn(self, runs: Iterable[RunInfo]) -> None:
        """Take from all runs of the folder which differ in nothing but their seeds.

        Of those that share a seed the newest counts; only finished ones do.
        """
        found: dict[str, dict[int, Path]] = {}
        for run in sorted(runs, key=lambda run: float(run.created)):
            if run.state == "finished" and run.configuration:
                found.setdefault(run.configuration, {})[run.seed] = key_of(run.folder)
        seeds = {of: [by_seed[s] for s in sorted(by_seed)] for of, by_seed in found.items() if len(by_seed) > 1}
        if seeds != self._seeds:
            self._seeds = seeds
            self._configuration = {folder: of for of, folders in seeds.items() for folder in folders}
            self._color_all()
            self.changed.emit()

    def set_grouped(self, grouped: bool) -> None:
        """Average over seeds, or draw each run on its own."""
        if grouped != self.is_grouped:
            self.is_grouped = grouped
            self._color_all()
            self.changed.emit()

    def group_of(self, folder: Path | None) -> str:
        """Return the group in which a run is averaged; empty: it is drawn on its own."""
        return self._configuration.get(folder, "") if self.is_grouped and folder is not None else ""

    def needed(self) -> list[Path]:
        """Return the runs that are shown, and behind them the other seeds of their averages.

        An average is over all its seeds, whichever of them are shown."""
        groups = dict.fromkeys(self.group_of(folder) for folder in self.shown)
        return list(dict.fromkeys([*self.shown, *(f for of in groups for f in self._seeds.get(of, []))]))

    def select(self, folders: Iterable[Path]) -> None:
        """Draw only these runs, as a person's choice."""
        self._choose([], [key_of(f) for f in folders])

    def set_shown(self, folders: Iterable[Path], shown: bool) -> None:
        """Add runs to those drawn, as a person's choice, or remove them."""
        changed = [key_of(f) for f in folders]
        kept = [f for f in self.shown if f not in changed]
        self._choose(kept, changed if shown else [])

    def _choose(self, kept: list[Path], chosen: list[Path]) -> None:
        for folder in chosen:
            self._automatic.pop(folder, None)
        self._app_state.runs_selected.emit([*kept, *chosen])

    def run_of(self, run: str) -> Path:
        """Return the folder behind what a session calls its run: a path, or a name in the runs folder."""
        path = Path(run)
        return key_of(path if path.parent != Path() else self._app_state.runs_folder / run)

    def _take(self, folders: list[Path]) -> None:
        wanted = list(dict.fromkeys(key_of(f) for f in folders))
        if wanted == self.shown:
            return
        self.shown = wanted
        self._color_all()
        self._automatic = {folder: task for folder, task in self._automatic.items() if folder in wanted}
        self.changed.emit()

    def _slot(self, folder: Path) -> Path | str:
        """What has a color: a run, or the group in which it is averaged."""
        return self.group_of(folder) or folder

    def _color_all(self) -> None:
        """Give each run or group that is shown a color of its own."""
        for folder in self.shown:  # a group takes over the color of its first run
            if folder in self._index:
                self._index.setdefault(self._slot(folder), self._index[folder])
        taken: set[int] = set()
        slots = list(dict.fromkeys(self._slot(folder) for folder in self.shown))
        for slot in slots:  # what was given stays, unless another run got it while this one was hidden
            index = self._index.get(slot)
            if index is not None and index not in taken:
                taken.add(index)
            else:
                self._index.pop(slot, None)
        for slot in slots:
            if slot not in self._index:
                self._index[slot] = next(i for i in range(len(taken) + 1) if i not in taken)
                taken.add(self._index[slot])

    def _take_job(self, index: int, _count: int, job: Job) -> None:
        self._task, self._is_next = job.experiment.target.task, index > 0

    def _leave_other_tasks(self, experiment: Experiment) -> None:
        if self._app_state.is_running:
            return
        others = [folder for folder, task in self._automatic.items() if task not in ("", experiment.target.task)]
        if others:
            self.set_shown(others, False)

    def _show_live(self, folder: Path) -> None:
        kept = [f for f in self.shown if self._is_next or f not in self._automatic or f == folder]
        if folder not in kept:
            kept.append(folder)
            self._automatic[folder] = self._task
        if kept != self.shown:
            self._app_state.runs_selected.emit(kept)

    def _take_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, StateChanged):
                folder = self.run_of(event.run)
                fresh = folder != self.live or (self.live_state in ENDED and event.state not in ENDED)
                self.live, self.live_state = folder, event.state
                if fresh and event.state not in ENDED:
                    self._show_live(folder)
                self.changed.emit()
