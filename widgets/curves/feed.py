"""The numbers of the runs that are drawn: of the running session as they come, of the others from their logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from studio.analysis.groups import leaves
from studio.events import CheckpointSaved, DeviceSample, Evaluated, Event, MetricsLogged, StateChanged
from studio.run.queue_entry import Job
from widgets.curves.content import EVALUATION, LOAD, MEMORY
from widgets.curves.data import DEVICES, SEPARATOR, RunData, label_of, load_run
from widgets.curves.overlay import ENDED, Overlay, key_of
from widgets.shell.app_state import AppState

DISTINCTIONS = 2  # settings that a name says at most
_NO_DISTINCTION = ("name", "title", "description", "seed", "device")


class RunFeed(QObject):
    """Holds the runs that the overlay shows, and the running one.

    Args:
        app_state: the window's state.
        overlay: which runs are drawn.
        load_run: reads a run folder; called off the UI thread. None reads its log, named by its strategy's title.
    """

    runs_changed = Signal(list)  # list[RunData]: what is drawn from now on
    touched = Signal(set)  # metrics of the running session that have new numbers

    def __init__(
        self,
        app_state: AppState,
        overlay: Overlay,
        load_run: Callable[[Path], RunData] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._app_state, self._overlay, self._load_run = app_state, overlay, load_run or self._read_log
        self.runs: list[RunData] = []
        self.live: RunData | None = None
        self.loaded: dict[Path, RunData] = {}
        self._stamps: dict[Path, int] = {}  # when the log was last written, for those that were read
        self._reading: set[Path] = set()
        self._unreadable: set[Path] = set()  # reported once; read again when the run is selected again
        self._label = self._task = ""  # of the session that starts
        self._settings: dict[str, Any] = {}
        self._resumed: Path | None = None
        app_state.events.connect(self._take)
        app_state.job_changed.connect(self._job)
        app_state.runs_changed.connect(self._reread)
        overlay.changed.connect(self._gather)

    @property
    def is_reading(self) -> bool:
        """Whether a run is being read from disk."""
        return bool(self._reading)

    def start(self) -> None:
        """Gather what the overlay shows already."""
        self._gather()

    def _title(self, strategy: str) -> str:
        return self._app_state.title_of("strategies", strategy)

    def _read_log(self, folder: Path) -> RunData:
        return load_run(folder, self._title)

    def _job(self, _number: int, _count: int, job: Job) -> None:
        self._label, self._task = label_of(job.experiment, self._title), job.experiment.target.task
        self._settings = dict(leaves(job.experiment))
        self._resumed = None if job.folder is None else key_of(job.folder)

    def _take(self, events: list[Event]) -> None:
        touched: set[str] = set()
        for event in events:
            if isinstance(event, MetricsLogged):
                self._current().add_metrics(event.stage, event.step, event.seconds, event.values, event.units)
                touched.update(event.values)
            elif isinstance(event, DeviceSample):
                self._current().add_device(event.time, {name: getattr(event, name) for name in DEVICES})
                touched.update((LOAD, MEMORY))
            elif isinstance(event, Evaluated):
                self._current().add_score(
                    event.stage, event.domain, event.step, event.success, event.low, event.high, event.measure
                )
                touched.add(EVALUATION + event.measure)
            elif isinstance(event, CheckpointSaved):
                self._current().add_checkpoint(event.stage, event.step)
                touched.update(name for _, name in self._current().metrics)
            elif isinstance(event, StateChanged):
                self._state(self._overlay.run_of(event.run), event.state)
        if touched and self.live is not None and self.live in self.runs:
            self.touched.emit(touched)

    def _current(self) -> RunData:
        if self.live is None:  # numbers without a state before them: the window came later than the session
            self.live = self._new(self._overlay.live, self.tr("this run"))
            self._gather()
        return self.live

    def _new(self, folder: Path | None, otherwise: str) -> RunData:
        """Return the running session's data, which are named by its experiment where that is known."""
        made = RunData(folder, self._label or otherwise, self._task)
        made.settings = self._settings
        return made

    def _state(self, folder: Path, state: str) -> None:
        if state in ENDED or (self.live is not None and self.live.folder == folder):
            return
        self.live = self._new(folder, folder.name)
        self.loaded[folder] = self.live
        if folder == self._resumed:  # what it did before is in its log
            self._read(folder)
        self._gather()

    def _gather(self) -> None:
        folders = self._overlay.needed()
        running = self.live is not None and self._overlay.live_state not in ENDED
        runs = [self.loaded[f] for f in folders if f in self.loaded]
        if self.live is not None and running and self.live not in runs:
            runs.append(self.live)
        for folder in folders:
            going = folder == self._overlay.live and self._overlay.live_state not in ENDED
            if folder not in self.loaded and folder not in self._unreadable and not going:  # its numbers come as events
                self._read(folder)
        self._unreadable &= set(folders)
        for folder in [f for f in self.loaded if f not in folders and self.loaded[f] is not self.live]:
            del self.loaded[folder]  # twenty runs are enough to keep
        shorten_labels(runs)
        for run in runs:
            run.group = self._overlay.group_of(run.folder)
            run.is_shown = (run is self.live and running) or (
                run.folder is not None and self._overlay.is_shown(run.folder)
            )
        distinguish(runs)
        self.runs = runs
        self.runs_changed.emit(runs)

    def _read(self, folder: Path) -> None:
        if folder in self._reading:
            return
        self._reading.add(folder)

        def work() -> tuple[int, RunData]:
            stamp = _stamp(folder)
            return stamp, self._load_run(folder)

        def done(result: tuple[int, RunData]) -> None:
            if not isValid(self):
                return
            self._reading.discard(folder)
            self._stamps[folder], read = result
            present = self.loaded.get(folder)
            if present is not None and present is self.live:
                present.prepend(read)
            else:
                self.loaded[folder] = read
            self._gather()

        def failed(error: Exception) -> None:
            if isValid(self):
                self._reading.discard(folder)
                self._unreadable.add(folder)
                self._app_state.report(error, self.tr("The run cannot be plotted"))

        self._app_state.background(work, done, failed)

    def _reread(self) -> None:
        """Runs of other programs grow too: what was written since is read again."""
        known = {f: self._stamps.get(f, 0) for f, run in self.loaded.items() if run is not self.live}
        if not known:
            return

        def done(changed: list[Path]) -> None:
            for folder in changed if isValid(self) else ():
                self._read(folder)

        self._app_state.background(lambda: [f for f, stamp in known.items() if _stamp(f) not in (0, stamp)], done)


def distinguish(runs: list[RunData]) -> None:
    """Give the averages of the same name the settings in which they differ."""
    alike: dict[str, dict[str, RunData]] = {}
    for run in runs:
        run.distinction = ""
        if run.group:
            name = SEPARATOR.join(run.name.split(SEPARATOR)[:-1])
            alike.setdefault(name, {}).setdefault(run.group, run)
    words: dict[str, str] = {}
    for groups in alike.values():
        rivals = [run.settings for run in groups.values()]
        names = dict.fromkeys(name for settings in rivals for name in settings if name not in _NO_DISTINCTION)
        differ = [name for name in names if len({str(settings.get(name)) for settings in rivals}) > 1]
        for group, run in groups.items():
            parts = (f"{name.rsplit('.', 1)[-1]} {run.settings.get(name, '–')}" for name in differ[:DISTINCTIONS])
            words[group] = SEPARATOR.join(parts)
    for run in runs:
        run.distinction = words.get(run.group, "")


def shorten_labels(runs: list[RunData]) -> None:
    """Give each run the shortest label that distinguishes it: what all runs have in common is left out."""
    parts = [run.name.split(SEPARATOR) for run in runs]
    common = set(parts[0]).intersection(*parts[1:]) if len(runs) > 1 else set()
    for run, own in zip(runs, parts, strict=True):
        run.label = SEPARATOR.join(p for p in own if p not in common) or run.name
    counted = Counter(run.label for run in runs)
    for run in runs:
        if counted[run.label] > 1 and run.folder is not None:
            run.label = f"{run.label}{SEPARATOR}{run.folder.name}"


def _stamp(folder: Path) -> int:
    try:
        return (folder / "log.h5").stat().st_mtime_ns
    except OSError:
        return 0
