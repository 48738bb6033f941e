"""The Identification panel: from a robot's recordings to the simulation's friction, mass, damping, gain and delay."""

from __future__ import annotations

import random
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
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
from widgets.shell.app_state import AppState
from widgets.style import theme

REFERENCE = "Yu et al. 2017 (arXiv:1702.02453); Ljung 1999, System Identification, 2nd edition (Prentice Hall)"
DELAY = "actuator_delay"
PROGRESS_MS = 100


class IdentificationPanel(QWidget):
    """Recordings above, a button, what was found below. The work is a job on the window's state thread pool."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._job: IdentificationJob | None = None
        self.outcome: Outcome | None = None
        self.titles = {
            "friction": self.tr("Friction"),
            "mass": self.tr("Mass"),
            "damping": self.tr("Damping"),
            "armature": self.tr("Armature"),
            "actuator_gain": self.tr("Servo gain"),
            DELAY: self.tr("Delay"),
        }
        self.source = Segmented(
            (
                (
                    "hidden",
                    self.tr("Simulated robot"),
                    self.tr("Record in simulation, from a robot with the hidden values below"),
                ),
                ("stand_in", self.tr("Stand-in"), self.tr("Record in simulation, from the target's stand-in robot")),
                ("file", self.tr("File"), self.tr("Recordings of a robot: HDF5 with commands, qpos and dt")),
            ),
            self.tr("Recordings"),
        )
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
        self.hidden: dict[str, QDoubleSpinBox] = {field: self._spin(field) for field in self.titles}
        self.dice = QPushButton(self.tr("Shuf&fle"))
        theme.set_icon(self.dice, "dice")
        self.dice.setToolTip(self.tr("Draw random hidden values for the simulated robot"))
        self.file = QLineEdit()
        self.file.setPlaceholderText(self.tr("HDF5 file of recordings"))
        self.file.setAccessibleName(self.tr("Recordings file"))
        self.browse = QPushButton(self.tr("&Browse…"))
        self.start = QPushButton(self.tr("&Identify"))
        theme.set_icon(self.start, "run")
        self.halt = QPushButton(self.tr("S&top"))
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Progress"))
        self.words = QLabel(self.tr("No identification yet."))
        self.words.setWordWrap(True)
        self.table = EstimateTable(self.titles)
        self.plots = MotionPlots()
        self.use = QPushButton(self.tr("&Use these values in the simulation"))
        self.use.setToolTip(
            self.tr(
                "Randomizes the target around the estimates and shows them in the viewport. If the target has a "
                "stand-in "
                "robot, randomizes the source instead."
            )
        )
        self._timer = QTimer(self)
        self._timer.setInterval(PROGRESS_MS)
        self._timer.timeout.connect(self._show_progress)
        self._lay_out()
        self._wire()
        self._show_source()
        self._show_busy()

    def shut_down(self) -> None:
        """Ends the work; the window's state waits for it."""
        self._timer.stop()
        if self._job is not None:
            self._job.stop()

    # -- making --------------------------------------------------------------------------------------------------------

    def _spin(self, field: str) -> QDoubleSpinBox:
        spin = QDoubleSpinBox()
        if field == DELAY:
            spin.setRange(0.0, 50.0)
            spin.setDecimals(0)
            spin.setSuffix(self.tr(" ms"))
        else:
            spin.setRange(0.5, 2.0)
            spin.setSingleStep(0.1)
            spin.setPrefix("×")
            spin.setValue(1.0)
        spin.setAccessibleName(self.tr("Hidden {0}").format(self.titles[field]))
        return spin

    def _lay_out(self) -> None:
        self.hidden_box = QWidget()
        grid = QGridLayout(self.hidden_box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.MEDIUM)
        grid.setVerticalSpacing(theme.SMALL)
        for i, (field, spin) in enumerate(self.hidden.items()):
            row, column = divmod(i, 2)
            label = QLabel(self.titles[field])
            label.setBuddy(spin)
            grid.addWidget(label, row, 2 * column)
            grid.addWidget(spin, row, 2 * column + 1)
            grid.setColumnStretch(2 * column + 1, 1)
        grid.addWidget(self.dice, 3, 2, 1, 2)
        self.file_box = QWidget()
        files = QHBoxLayout(self.file_box)
        files.setContentsMargins(0, 0, 0, 0)
        files.addWidget(self.file, 1)
        files.addWidget(self.browse)
        go = QHBoxLayout()
        go.setSpacing(theme.MEDIUM)
        go.addWidget(self.method)
        go.addStretch(1)
        go.addWidget(self.halt)
        go.addWidget(self.start)
        inner = QWidget()
        column_ = QVBoxLayout(inner)
        column_.setContentsMargins(10, theme.MEDIUM, 10, theme.MEDIUM)
        column_.setSpacing(theme.MEDIUM)
        sources = QHBoxLayout()
        sources.addWidget(self.source)
        sources.addStretch(1)
        column_.addLayout(sources)
        column_.addWidget(self.hidden_box)
        column_.addWidget(self.file_box)
        column_.addLayout(go)
        for widget in (self.progress, self.words, self.table, self.use, self.plots):
            column_.addWidget(widget)
        column_.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(ScrollColumn(inner))
        self.table.hide()
        self.plots.hide()
        self.use.hide()

    def _wire(self) -> None:
        self.source.chosen.connect(lambda _key: self._show_source())
        self.dice.clicked.connect(self._shuffle)
        self.browse.clicked.connect(self._browse)
        self.start.clicked.connect(self._identify)
        self.halt.clicked.connect(self.shut_down)
        self.use.clicked.connect(self._use)
        self._app_state.registry_ready.connect(self._show_busy)
        self._app_state.experiment_changed.connect(lambda _: self._show_busy())

    # -- the recordings ------------------------------------------------------------------------------------------------

    def _show_source(self) -> None:
        self.hidden_box.setVisible(self.source.key == "hidden")
        self.file_box.setVisible(self.source.key == "file")

    def _shuffle(self) -> None:
        rng = random.Random()
        for field, spin in self.hidden.items():
            spin.setValue(rng.uniform(0, 50) if field == DELAY else 2 ** rng.uniform(-0.9, 0.9))

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, self.tr("Recordings"), self.file.text(), self.tr("HDF5 files (*.h5 *.hdf5);;All files (*)")
        )
        if path:
            self.file.setText(path)

    def _values(self) -> dict[str, float]:
        return {f: spin.value() / 1000 if f == DELAY else spin.value() for f, spin in self.hidden.items()}

    # -- the work ------------------------------------------------------------------------------------------------------

    def _identify(self) -> None:
        domain, source = self._app_state.experiment.target, self.source.key
        if source == "file" and not self.file.text().strip():
            self._say(self.tr("Choose a recordings file first."), "problem")
            return
        if source == "stand_in" and domain.hidden_dynamics is None:
            self._say(self.tr("The target has no stand-in robot. Choose one in Data & embodiment."), "problem")
            return
        self._job = IdentificationJob(
            domain,
            self._app_state.registry,
            self.method.key,
            hidden=self._values() if source == "hidden" else None,
            dataset=Path(self.file.text().strip()).expanduser() if source == "file" else None,
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
        terms = terms_around(getattr(experiment, simulation), found)
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
    reference=REFERENCE,
)
