"""What all panels share: the experiment being edited, the registry, the channels, and what may be asked for.

Panels hold an AppState and nothing of each other. Everything here lives on the UI thread; slow work goes through
:meth:`AppState.background`.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from studio import paths
from studio.contracts import Problem
from studio.errors import ExperimentError, StudioError
from studio.experiment import Experiment
from studio.registry import KINDS, Registry, shared_registry
from studio.run.channels import Channels
from studio.run.queue import Queue
from studio.run.queue_entry import Job
from widgets.shell.background import Background
from widgets.shell.document import Document
from widgets.shell.engine import Engine
from widgets.shell.folders import Folders
from widgets.shell.opening import short_name
from widgets.shell.queue_state import QueueState
from widgets.shell.sessions import Sessions

CHECK_MS = 250  # an edit is checked when the hand has rested this long


class AppState(QObject):
    """What all panels share; see the module.

    Args:
        runs_folder: where runs are kept; None is the program's own place.
        registry: the contributions; None makes the program's own.
        engine: the engine's functions that the window calls; None takes the engine's own.
    """

    experiment_changed = Signal(object)  # Experiment, after every accepted edit
    problems_changed = Signal(list)  # list[Problem] of the present experiment
    events = Signal(list)  # list[Event] drained from the session's channel, at most 30 times a second
    progress = Signal(object)  # Progress, the latest
    registry_ready = Signal()  # plugins have been imported; `registry.all(...)` is now instant
    runs_changed = Signal()  # a run was made, finished, deleted
    runs_selected = Signal(list)  # list[Path]: run folders to overlay and show
    checkpoint_chosen = Signal(object, int)  # (run folder, step): play this one in the viewport
    policy_offered = Signal(object)  # PolicyOffer: play this one in the viewport
    player_offered = Signal(object)  # PlayerOffer: show this in the viewport
    toast = Signal(str, str, str)  # level (info, warning, error), one sentence, details (a traceback or empty)
    running_changed = Signal(bool)  # a session was started, or the last one ended
    state_changed = Signal(str)  # idle, preparing, running, paused, stopping, stopped, finished, failed
    job_changed = Signal(int, int, object)  # which of how many runs in the queue starts: Job
    queue_held = Signal()  # a run was stopped while others wait
    preview_changed = Signal(
        dict
    )  # randomization field → value to be seen in the viewport; empty: the domain's own draws
    ghosts_changed = Signal(object, object)  # list[Ghost] to be seen beside the robot, and their Domain; empty: none

    def __init__(
        self,
        runs_folder: Path | None = None,
        parent: QObject | None = None,
        registry: Registry | None = None,
        engine: Engine | None = None,
    ) -> None:
        super().__init__(parent)
        self.registry = registry if registry is not None else shared_registry()
        self.registry_is_ready = False
        self.engine = engine if engine is not None else Engine()
        self.channels = Channels()
        self.runs_folder = Path(runs_folder) if runs_folder else paths.runs()
        self.problems: list[Problem] = []
        self.document = Document(self)
        self.document.experiment_changed.connect(self.experiment_changed)
        self.folders = Folders()
        self._checks = 0
        self._closed = False
        self._background = Background(self)
        self.queue = QueueState(Queue(self.runs_folder), self.report, self)
        self.sessions = self._connected_sessions()
        self._check_timer = QTimer(self)
        self._check_timer.setSingleShot(True)
        self._check_timer.setInterval(CHECK_MS)
        self._check_timer.timeout.connect(self._check)
        self.experiment_changed.connect(self._check_timer.start)

    # -- the experiment ------------------------------------------------------------------------------------------

    @property
    def experiment(self) -> Experiment:
        """The experiment being edited. Replace it with :meth:`set_experiment` or :meth:`edit`."""
        return self.document.experiment

    def set_experiment(self, experiment: Experiment) -> None:
        """Replace the whole experiment, as an edit. A file's is opened by :attr:`document`."""
        self.document.set(experiment)

    def edit(self, **changes: Any) -> ExperimentError | None:
        """Change dotted fields, ``edit(**{"target.episodes": 20})``. Return the error to be shown at its field where a
        value does not fit; the experiment then stays as it was."""
        try:
            self.set_experiment(self.experiment.changed(**changes))
        except ExperimentError as error:
            return error
        return None

    # -- slow work -----------------------------------------------------------------------------------------------

    def background(
        self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None] | None = None
    ) -> None:
        """Run ``work`` off the UI thread, then ``done(result)`` on it. Failures become a toast unless taken."""
        if not self._closed:
            self._background.start(work, done, failed or self.report)

    @property
    def is_open(self) -> bool:
        """Whether the window is not being closed. Long work checks this to end early."""
        return not self._closed

    @property
    def is_idle(self) -> bool:
        """No background work is open, and the present experiment has been checked."""
        return self._background.is_idle and self.queue.is_idle and not self._check_timer.isActive()

    def report(self, error: BaseException, what: str = "") -> None:
        """Show an exception as a toast: one sentence, with further lines and the traceback behind it."""
        words = str(error) if isinstance(error, StudioError) else f"{type(error).__name__}: {error}"
        sentence, _, more = words.partition("\n")
        trace = "".join(traceback.format_exception(error))
        details = f"{more}\n\n{trace}" if more else trace
        self.toast.emit("error", f"{what}: {sentence}" if what else sentence, details)

    def load_plugins(self) -> None:
        """Import every plugin in the background; :attr:`registry_ready` follows."""

        def work() -> None:
            for kind in KINDS:
                self.registry.all(kind)

        def done(_: None) -> None:
            self.registry_is_ready = True
            self.registry_ready.emit()
            self._check_timer.start()

        self.background(work, done)

    def title_of(self, kind: str, id: str) -> str:
        """Return a contribution's title in short; its id in words while the plugins load, or where it is unknown."""
        known = self.registry.all(kind) if self.registry_is_ready else {}
        return str(known[id].title).split(",")[0] if id in known else short_name(id)  # "UR5e arm, 6 degrees of …"

    # -- sessions ------------------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """A session is at work (paused counts)."""
        return self.sessions.is_running

    @property
    def state(self) -> str:
        """Return the state of the present session or of the last one: see :attr:`Sessions.state`."""
        return self.sessions.state

    @property
    def why_not_run(self) -> str:
        """Why Run is not possible now, in words; empty if it is."""
        if not self.registry_is_ready:
            return self.tr("The plugins are still loading.")
        lines = [f"{p.field}: {p.message} {p.remedy}".strip() for p in self.problems]
        return "\n".join(lines)

    def run(self) -> None:
        """Run the present experiment: now, or after what the queue has, where a session is at work."""
        self.enqueue([Job(self.experiment)])

    def compare(self, experiment: Experiment | None = None) -> None:
        """Run a comparison (by default the experiment's): strategies × data sizes × seeds, one after the other. What
        is finished is not run again, what was stopped is continued. While a session is at work they wait."""
        experiment = experiment or self.experiment

        def start(planned: tuple[list[Job], list[Path]]) -> None:
            jobs, finished = planned
            if jobs:
                self.enqueue(jobs, experiment.name)
                words = self.tr("{done} of {count} runs of the comparison are finished already and are not run again.")
            else:
                self.runs_selected.emit(finished)
                words = self.tr("All {count} runs of the comparison are finished already; the curves show them.")
            if finished:
                self.toast.emit("info", words.format(done=len(finished), count=len(jobs) + len(finished)), "")

        self.background(partial(self.engine.comparison, experiment, self.registry, self.runs_folder), start)

    def resume(self, folder: Path, iterations: int | None = None) -> None:
        """Continue a run that was stopped or interrupted, or any run with a larger budget of ``iterations`` in all."""

        def start(experiment: Experiment) -> None:
            self.enqueue([Job(experiment, Path(folder), iterations)])

        self.background(partial(Experiment.load, Path(folder) / "experiment.yaml"), start)

    def enqueue(self, jobs: Sequence[Job], batch: str = "") -> None:
        """Run jobs: now, before all that waits; or where a session is at work, after all that waits.

        Args:
            batch: name of the comparison that they are of.
        """
        if not self.is_running:
            self.sessions.start(jobs, batch)
            return

        def added() -> None:
            before = len(self.queue.waiting) - len(jobs)
            words = self.tr("{what} waits in the queue.")
            if before > 0:
                words = self.tr("{what} waits in the queue, after {before} others.")
            many = self.tr("The comparison {name}").format(name=batch)
            what = many if batch else self.tr("The run {name}").format(name=jobs[0].experiment.name)
            self.toast.emit("info", words.format(what=what, before=before), "")

        self.queue.change(partial(self.queue.queue.add, jobs, batch, start=True), added)

    def run_queue(self) -> None:
        """Run what waits in the queue."""
        if not self.is_running:
            self.sessions.start()

    def close(self) -> None:
        """Stop the session, the timers and the background work, and wait for them."""
        self._closed = True
        self._check_timer.stop()
        self.sessions.close()
        self.queue.close()
        self._background.close()

    def _connected_sessions(self) -> Sessions:
        """Return what runs the queue, whose news are everybody's."""
        sessions = Sessions(self.queue.queue, self.registry, self.channels, self.engine.open_session, self)
        sessions.events.connect(self.events)
        sessions.progress.connect(self.progress)
        sessions.running_changed.connect(self.running_changed)
        sessions.state_changed.connect(self.state_changed)
        sessions.job_changed.connect(self.job_changed)
        sessions.run_changed.connect(self.runs_changed)
        sessions.job_ended.connect(self.queue.look)
        sessions.job_ended.connect(self.runs_changed)
        sessions.ended.connect(self._queue_over)
        return sessions

    def _queue_over(self, is_leaving: bool) -> None:
        if not is_leaving:
            self.queue.change(lambda: None, self._after_queue)

    def _after_queue(self) -> None:
        """Say that what waits is held; go on where something was added in the moment in which the thread ended."""
        if self.queue.waiting and not self.is_running and not self.queue.is_going:
            self.queue_held.emit()
        elif self.queue.waiting and not self.queue.runs_elsewhere:
            self.run_queue()

    # -- what comes back -----------------------------------------------------------------------------------------

    def _check(self) -> None:
        if not self.registry_is_ready:
            return
        self._checks += 1
        number, experiment = self._checks, self.experiment

        def done(problems: list[Problem]) -> None:
            if number == self._checks:  # an answer to an older question is of no use
                self.problems = problems
                self.problems_changed.emit(problems)

        self.background(partial(self.engine.check, experiment, self.registry), done)
