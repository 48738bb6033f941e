"""The Identification panel: from a robot's recordings to the simulation's friction, mass, damping, gain and delay."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from studio.contracts import PanelInfo
from studio.errors import Stopped, StudioError
from widgets.forms.scroll_column import ScrollColumn
from widgets.forms.segmented import Segmented
from widgets.identification.estimate_table import EstimateTable
from widgets.identification.job import IdentificationJob, Outcome
from widgets.identification.motion_plots import MotionPlots
from widgets.identification.recording_source import RecordingSource
from widgets.shell.app_state import AppState
from widgets.style import theme

REFERENCE = "Yu et al. 2017 (arXiv:1702.02453); Ljung 1999, System Identification, 2nd edition (Prentice Hall)"
PROGRESS_MS = 100


class IdentificationPanel(QWidget):
    """Recordings above, a button, what was found below. The work is a job on the window's state thread pool."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._job: IdentificationJob | None = None
        self.outcome: Outcome | None = None
        self.recordings = RecordingSource()
        self.method = Segmented(
            (
                (
                    "lstm",
                    self.tr("LSTM"),
                    self.tr("An LSTM trained on the recordings simulated with random parameters"),
                ),
                ("sysid", self.tr("mujoco.sysid"), self.tr("Nonlinear least squares on the simulation")),
            ),
            self.tr("Method"),
        )
        self.start = QPushButton(self.tr("&Identify"))
        theme.set_icon(self.start, "run")
        self.halt = QPushButton(self.tr("S&top"))
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Progress"))
        self.words = QLabel(self.tr("No identification yet."))
        self.words.setWordWrap(True)
        self.table = EstimateTable(self.recordings.titles)
        self.plots = MotionPlots()
        self.use = QPushButton(self.tr("&Use these values in the simulation"))
        self.use.setToolTip(
            self.tr(
                "Randomizes the target around the estimates and shows them in the viewport. If the target has a "
                "stand-in robot, randomizes the source instead."
            )
        )
        self._timer = QTimer(self)
        self._timer.setInterval(PROGRESS_MS)
        self._timer.timeout.connect(self._show_progress)
        self._lay_out()
        self._wire()
        self._show_busy()

    @property
    def stage(self) -> str:
        """What is being done: record, identify or compare; empty while nothing is."""
        return self._job.stage if self._job is not None else ""

    def shut_down(self) -> None:
        """End the work; the window's state waits for it."""
        self._timer.stop()
        if self._job is not None:
            self._job.stop()

    # -- making --------------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        go = QHBoxLayout()
        go.setSpacing(theme.MEDIUM)
        go.addWidget(self.method)
        go.addStretch(1)
        go.addWidget(self.halt)
        go.addWidget(self.start)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(10, theme.MEDIUM, 10, theme.MEDIUM)
        column.setSpacing(theme.MEDIUM)
        column.addWidget(self.recordings)
        column.addLayout(go)
        for widget in (self.progress, self.words, self.table, self.use, self.plots):
            column.addWidget(widget)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(ScrollColumn(inner))
        self.table.hide()
        self.plots.hide()
        self.use.hide()

    def _wire(self) -> None:
        self.start.clicked.connect(self._identify)
        self.halt.clicked.connect(self.shut_down)
        self.use.clicked.connect(self._use)
        self._app_state.registry_ready.connect(self._show_busy)
        self._app_state.experiment_changed.connect(lambda _: self._show_busy())

    # -- the work ------------------------------------------------------------------------------------------------------

    def _identify(self) -> None:
        domain, recordings = self._app_state.experiment.target, self.recordings
        if recordings.key == "file" and recordings.path is None:
            self._say(self.tr("Choose a recordings file first."), "problem")
            return
        if recordings.key == "stand_in" and domain.hidden_dynamics is None:
            self._say(self.tr("The target has no stand-in robot. Choose one in Data & embodiment."), "problem")
            return
        self._job = IdentificationJob(
            domain,
            self._app_state.registry,
            self.method.key,
            hidden=recordings.hidden_values if recordings.key == "hidden" else None,
            dataset=recordings.path if recordings.key == "file" else None,
            seed=self._app_state.experiment.seed,
        )
        self._app_state.background(self._job.run, self._done, self._failed)
        self._timer.start()
        self._show_busy()

    def _show_progress(self) -> None:
        if self._job is not None:
            self.progress.setValue(round(1000 * self._job.share))
            stage = {
                "record": self.tr("Recording …"),
                "identify": self.tr("Training on randomized simulation …")
                if self.method.key == "lstm"
                else self.tr("Fitting the simulation …"),
                "compare": self.tr("Simulating with nominal and estimated values …"),
            }
            self._say(stage[self._job.stage], "muted")

    def _done(self, outcome: Outcome) -> None:
        self._end()
        self.outcome = outcome
        self.table.show_estimates(outcome.found, outcome.ranges, outcome.truth)
        self.plots.show_outcome(outcome)
        for widget in (self.table, self.plots, self.use):
            widget.show()
        shown = sum(estimate.identifiable for estimate in outcome.found.values())
        before, after = outcome.misfit
        from studio.sysid import explains

        words = self.tr(
            "{0} of {1} parameters found in {2:.0f} s. Deviation of the simulation from the robot: {3:.3g} "
            "times the sensor noise before, {4:.3g} times after."
        ).format(shown, len(outcome.found), outcome.seconds, before, after)
        doubtful = not explains(before, after)
        if doubtful:
            words += " " + self.tr(
                "The fitted model does not explain the recordings, so the intervals cannot be trusted."
            )
        self._say(words, "warning" if doubtful else "")
        self._show_busy()

    def _failed(self, error: Exception) -> None:
        self._end()
        if isinstance(error, Stopped):
            self._say(self.tr("Stopped."), "muted")
        elif isinstance(error, StudioError):
            self._say(f"{error.message} {error.remedy}".strip(), "problem")
        else:
            self._say(self.tr("The identification failed."), "problem")
            self._app_state.report(error, self.tr("Identification"))
        self._show_busy()

    def _end(self) -> None:
        self._timer.stop()
        self._job = None

    def _show_busy(self) -> None:
        busy = self._job is not None
        self.start.setEnabled(not busy and self._app_state.registry_is_ready)
        self.halt.setVisible(busy)
        self.progress.setVisible(busy)
        outcome, target = self.outcome, self._app_state.experiment.target
        self.use.setEnabled(
            outcome is not None
            and outcome.domain.embodiment == target.embodiment
            and any(estimate.identifiable for estimate in outcome.found.values())
        )

    def _say(self, words: str, role: str) -> None:
        self.words.setText(words)
        if self.words.property("role") != role:
            self.words.setProperty("role", role)
            self.words.style().unpolish(self.words)
            self.words.style().polish(self.words)

    # -- the result ----------------------------------------------------------------------------------------------------

    def _use(self) -> None:
        if self.outcome is None:
            return
        from studio.sysid import chosen, simulation_of, terms_around

        experiment, found = self._app_state.experiment, self.outcome.found
        try:
            simulation = simulation_of(experiment, "target")
        except StudioError as problem:
            self._say(f"{problem.message} {problem.remedy}".strip(), "problem")
            return
        terms = terms_around(experiment.domains[simulation], found)
        error = self._app_state.edit(**{f"{simulation}.randomization": terms})
        if error is not None:
            self._say(f"{error.message} {error.remedy}".strip(), "problem")
        elif simulation == "source":
            words = self.tr(
                "The source, which simulates this robot, is now randomized around the estimates. The target, the "
                "stand-in "
                "robot, is unchanged."
            )
            self._say(words, "")
        else:
            self._app_state.preview_changed.emit(chosen(found))
            self._say(self.tr("The target is now randomized around the estimates, which the viewport shows."), "")


PANEL = PanelInfo(
    id="identification",
    title="Identification",
    summary="Estimates friction, mass, damping, armature, gain and delay of a robot, with confidence intervals.",
    area="right",
    order=60,
    factory=IdentificationPanel,
    help="identification",
    reference=REFERENCE,
)
