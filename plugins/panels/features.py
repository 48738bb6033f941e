"""The Features panel: where a run's source and target lie in its policy's features, checkpoint by checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from studio.contracts import PanelInfo
from studio.errors import Stopped, StudioError
from studio.events import CheckpointSaved, Event
from widgets.features.accuracy_plot import AccuracyPlot
from widgets.features.job import FeatureJob, Signature, checkpoints_of
from widgets.features.scatter import FeatureScatter
from widgets.forms.content_stack import ElasticStack
from widgets.forms.parts import Parts
from widgets.forms.scroll_column import ScrollColumn
from widgets.forms.segmented import Segmented
from widgets.forms.wrapping_row import WrappingRow
from widgets.runs.run_choice import RunChoice
from widgets.shell.app_state import AppState
from widgets.style import theme

if TYPE_CHECKING:
    from studio.analysis.feature_projection import FeatureProjection

POLL_MS = 3_000  # checkpoints of other programs' runs
NARROW = 520  # px: below it one of the plots is shown at a time
LOWEST = 170  # px of what is shown: below it the panel scrolls


class FeaturesPanel(QWidget):
    """See the module. Reads in the background, and only while it is shown; a run that trains is followed."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._job: FeatureJob | None = None
        self._read: Signature = ()  # the checkpoints that are shown
        self._is_reading = self._read_again = False
        self._found: FeatureProjection | None = None
        tip = self.tr("Whose features are shown; a run that starts, or is shown in Curves, is chosen")
        self.run = RunChoice(app_state, tip, follows_live=True)
        self.color = Segmented(
            (
                ("domain", self.tr("Domain"), self.tr("Color by domain")),
                ("robot", self.tr("Robot"), self.tr("Color by robot")),
                ("class", self.tr("Choice"), self.tr("Color by the recorded choice, such as the digit")),
            ),
            self.tr("Color"),
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Checkpoint"))
        self.slider.setToolTip(self.tr("The checkpoint that is shown; at its right end the newest one is followed"))
        self.step, self.words = QLabel(), QLabel()
        self.scatter, self.accuracy = FeatureScatter(), AccuracyPlot()
        self._lay_out()
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._look)
        self.run.chosen.connect(self._choose)
        self.color.chosen.connect(self.scatter.color_by)
        self.slider.valueChanged.connect(self._show)
        self.accuracy.chosen.connect(self.slider.setValue)
        app_state.events.connect(self._take_events)

    def _lay_out(self) -> None:
        self.words.setWordWrap(True)
        self.words.setProperty("role", "muted")
        self.words.setFont(theme.small_font())
        self.step.setFont(theme.small_font())
        self.step.setMinimumWidth(self.step.fontMetrics().horizontalAdvance("step 100,000"))
        self.step.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.parts = Parts(
            [
                ("features", self.tr("Features"), self.tr("Frames of the domains in two dimensions"), self.scatter, 1),
                ("accuracy", self.tr("Accuracy"), self.tr("How well the domain can be named"), self.accuracy, 1),
            ],
            self.tr("Part of the panel"),
            NARROW,
        )
        checkpoint = QWidget()
        row = QHBoxLayout(checkpoint)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(self.step)
        shown = QWidget()
        inner = QVBoxLayout(shown)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(theme.SMALL)
        inner.addWidget(self.parts, 1)
        inner.addWidget(self.words)
        self.stack = ElasticStack(shown, LOWEST)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.SMALL)
        column.setSpacing(theme.SMALL)
        column.addLayout(WrappingRow(self.run, self.parts.choice, self.color, checkpoint))
        column.addWidget(self.stack, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(ScrollColumn(content))
        self._clear(self.tr("Reading the runs …"))

    # -- which run

    def _choose(self, folder: Path | None) -> None:
        if folder is None:
            self._job = None
            self._clear(self.tr("No runs yet. A run's features are shown here from its first checkpoint on."))
        elif self._job is None or self._job.run != folder:
            self._job = FeatureJob(folder, self._app_state.registry, lambda: self._is_wanted(folder))
            self._read = ()
            self._clear(self.tr("Reading the features …"))
            self._refresh()
        else:
            self._look()

    def _is_wanted(self, folder: Path) -> bool:
        job = self._job
        return self._app_state.is_open and job is not None and job.run == folder

    # -- reading

    def _refresh(self) -> None:
        """Read the chosen run's features, in the background; a request during a reading is served after it."""
        job = self._job
        if job is None or not self.isVisible():
            return
        if self._is_reading:
            self._read_again = True
            return
        self._is_reading = True

        def done(result: tuple[Signature, FeatureProjection]) -> None:
            self._over()
            if job is self._job:
                self._read = result[0]
                self._take(result[1])

        def failed(error: Exception) -> None:
            self._over()
            if job is not self._job or isinstance(error, Stopped):
                return
            self._read = checkpoints_of(job.run)
            words = self.tr("The features of this run cannot be shown.")
            self._clear(f"{error.message} {error.remedy}" if isinstance(error, StudioError) else words)
            if not isinstance(error, StudioError):
                self._app_state.report(error, self.tr("The features cannot be shown"))

        self._app_state.background(job.read, done, failed)

    def _over(self) -> None:
        self._is_reading = False
        if self._read_again:
            self._read_again = False
            self._refresh()

    def _look(self) -> None:
        """Read again where there are other checkpoints than those that are shown."""
        job, known = self._job, self._read
        if job is None or self._is_reading:
            return

        def done(found: Signature) -> None:
            if job is self._job and found != known:
                self._refresh()

        self._app_state.background(lambda: checkpoints_of(job.run), done)

    def _take_events(self, events: list[Event]) -> None:
        if any(isinstance(event, CheckpointSaved) for event in events):
            self._refresh()

    # -- showing

    def _clear(self, words: str) -> None:
        self._found = None
        self.stack.say(words)
        self.slider.setEnabled(False)
        self.color.setVisible(False)
        self.step.setText("")

    def _take(self, found: FeatureProjection) -> None:
        newest = self._found is None or self.slider.value() == self.slider.maximum()
        step = self._found.checkpoints[self.slider.value()].step if self._found is not None else 0
        self._found = found
        steps = [one.step for one in found.checkpoints]
        place = len(steps) - 1 if newest or step not in steps else steps.index(step)
        robots = len(set(found.embodiments))
        for key, there in (("robot", 1 < robots < len(found.fields)), ("class", found.classes is not None)):
            self.color.button(key).setVisible(there)
            if not there and self.color.key == key:
                self.color.set_key("domain")
                self.scatter.color_by("domain")
        self.color.setVisible(1 < robots < len(found.fields) or found.classes is not None)
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(steps) - 1)
        self.slider.setValue(place)
        self.slider.blockSignals(False)
        self.slider.setEnabled(len(steps) > 1)
        self.scatter.set_projection(found, self._names(found))
        self.accuracy.set_projection(found)
        self.stack.show_content()
        self._show(place)

    def _names(self, found: FeatureProjection) -> list[str]:
        """Return the domains' names: their place in the experiment, and the robot where it is not the same in all."""
        known = {"target": self.tr("target"), "source": self.tr("source")}
        names = []
        for field, robot in zip(found.fields, found.embodiments, strict=True):
            place = known.get(field) or self.tr("source {0}").format(int(field.rpartition(".")[2]) + 1)
            title = self._app_state.title_of("embodiments", robot)
            names.append(f"{place}: {title}" if len(set(found.embodiments)) > 1 else place)
        return names

    def _show(self, place: int) -> None:
        if self._found is None:
            return
        one = self._found.checkpoints[place]
        self.step.setText(self.tr("step {0}").format(f"{one.step:,}"))
        self.scatter.show_checkpoint(one)
        self.accuracy.mark(place)
        self.words.setText(self._sentence(self._found, place))

    def _sentence(self, found: FeatureProjection, place: int) -> str:
        one = found.checkpoints[place]
        interval = "" if math.isnan(one.low) else f" [{one.low:.2f}, {one.high:.2f}]"
        words = self.tr("A linear probe names the domain of {0}{1} of the frames of episodes that it has not seen")
        text = words.format(f"{one.probe:.2f}", interval)
        own = found.classifier_at(one.step)
        if math.isfinite(own):
            text += self.tr(", the strategy's own classifier {0}").format(f"{own:.2f}")
        text += self.tr("; {0} would be guessing.").format(f"{found.chance:.2g}")
        return text + (self.tr(" Step 0 is the source policy.") if one.step == 0 else "")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._poll.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._poll.stop()


PANEL = PanelInfo(
    id="features",
    title="Features",
    summary="Source and target in the policy's features while they align, and how well the domain can be named.",
    area="center",
    order=65,
    factory=FeaturesPanel,
    help="features",
    reference="Domain-adversarial training: arXiv:1505.07818; linear probes: arXiv:1610.01644",
    shortcuts={
        "Arrow keys on the slider": "Step through the checkpoints",
        "Click on the accuracies": "Show the nearest checkpoint",
    },
)
