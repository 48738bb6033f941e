"""The Adaptation panel: what a meta-learning run makes of a task after 0, 1, 2 … shots, and of one that you choose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from studio.contracts import PanelInfo
from studio.errors import StudioError
from widgets.adaptation.context_editor import ContextEditor
from widgets.adaptation.episodes_view import EpisodesView, has_episodes
from widgets.adaptation.job import TaskFacts, adapting_runs
from widgets.adaptation.score_button import ScoreButton
from widgets.adaptation.shots_plot import ShotsPlot
from widgets.adaptation.stage import AdaptationStage
from widgets.adaptation.veil import Veil
from widgets.adaptation.worker import AdaptationWorker
from widgets.features.job import Signature, checkpoints_of
from widgets.forms.content_stack import ElasticStack
from widgets.forms.parts import Parts
from widgets.forms.scroll_column import ScrollColumn
from widgets.forms.wrapping_row import WrappingRow
from widgets.runs.run_choice import RunChoice
from widgets.shell.app_state import AppState
from widgets.style import theme

if TYPE_CHECKING:
    from studio.run.adaptation import Adaptation

ASKED_MS = 100  # between two looks for a goal that was moved in the viewport
NARROW = 520  # px: below it one part of the panel is shown at a time
LOWEST = 170  # px of what is shown: below it the panel scrolls
POLL_MS = 3_000  # between two looks for checkpoints of another program's run


class AdaptationPanel(QWidget):
    """See the module. Works in the background, and only while it is shown."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._worker = AdaptationWorker(app_state)
        self._facts: TaskFacts | None = None
        self._found: Adaptation | None = None
        self._failure = ""  # why there is no result of the task that was asked for last
        self._stage = AdaptationStage(app_state)
        self._read: Signature = ()  # the checkpoints that there were when the run was opened
        self._listed: dict[str, int] = {}  # which held-out task was taken last
        tip = self.tr("Runs of strategies that adapt to a new task, the newest first")
        self.run = RunChoice(app_state, tip, lambda runs: adapting_runs(runs, app_state.registry))
        self.score = ScoreButton(self._worker)
        self.buttons = {
            "inside": self._button(self.tr("Held-out task"), self.tr("Take the next task that training never draws")),
            "outside": self._button(self.tr("Outside"), self.tr("Take the next task outside the range of training")),
            "score": self.score,
            "play": self._button(self.tr("Play"), ""),  # its tip depends on the task
        }
        theme.set_icon(self.buttons["play"], "run")
        self.editor, self.episodes, self.shots = ContextEditor(), EpisodesView(), ShotsPlot()
        self.veils = [Veil(self.episodes), Veil(self.shots)]
        self.words = QLabel()
        self._lay_out()
        self._wire()

    # -- making --------------------------------------------------------------------------------------------------------

    def _button(self, words: str, tip: str) -> QPushButton:
        button = QPushButton(words)
        button.setToolTip(tip)
        return button

    def _lay_out(self) -> None:
        self.words.setWordWrap(True)
        self.words.setProperty("role", "muted")
        self.words.setFont(theme.small_font())
        self.column = ScrollColumn(self.editor)
        self.parts = Parts(
            [
                ("task", self.tr("Task"), self.tr("The task that is adapted to"), self.column, 800),
                ("episodes", self.tr("Episodes"), self.tr("What the policy does after shots"), self.episodes, 900),
                ("scores", self.tr("Scores"), self.tr("The score against the number of shots"), self.shots, 1000),
            ],
            self.tr("Part of the panel"),
            NARROW,
        )
        self.parts.choice.set_key("episodes")
        self.words.setContentsMargins(theme.MEDIUM, 0, theme.MEDIUM, theme.SMALL)
        self.stack = ElasticStack(self.parts, LOWEST)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.SMALL)
        column.setSpacing(theme.SMALL)
        column.addLayout(WrappingRow(self.run, self.parts.choice, *self.buttons.values()))
        column.addWidget(self.stack, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(ScrollColumn(content), 1)
        whole.addWidget(self.words)  # seen wherever the panel is scrolled to
        self._clear(self.tr("Reading the runs …"))

    def _wire(self) -> None:
        app_state, worker = self._app_state, self._worker
        self.run.chosen.connect(self._choose)
        self.parts.arranged.connect(self._place_buttons)
        self.editor.edited.connect(self._edit)
        self.episodes.dragged.connect(self._edit)
        for which in ("inside", "outside"):
            self.buttons[which].clicked.connect(lambda _=False, which=which: self._take_held_out(which))
        self.buttons["play"].clicked.connect(self._play)
        worker.opened.connect(self._take_facts)
        worker.referenced.connect(self.shots.set_references)
        worker.adapted.connect(self._take)
        worker.scored.connect(self.shots.set_held_out)
        worker.failed.connect(self._fail)
        worker.busy_changed.connect(lambda _: self._say())
        app_state.running_changed.connect(lambda _: self._say())
        self._timers = [self._timer(ASKED_MS, self._look), self._timer(POLL_MS, self._look_for_checkpoints)]

    def _timer(self, every: int, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(every)
        timer.timeout.connect(call)
        return timer

    # -- which run -----------------------------------------------------------------------------------------------------

    def _choose(self, folder: Path | None) -> None:
        if self._worker.run != folder:
            self._stage.leave()
        if folder is None:
            self._worker.open(None)
            self._clear(self.tr("No runs of a strategy that adapts to new tasks, such as RL² or few-shot adaptation."))
        elif self._worker.run != folder:
            self._clear(self.tr("Reading the run …"))
            self._read = ()
            self._worker.open(folder)

    def _look_for_checkpoints(self) -> None:
        """Go on with the run's newest checkpoint, where there is another one than that which is shown."""
        run, known = self._worker.run, self._read
        if run is None or self._worker.is_busy:
            return

        def done(found: Signature) -> None:
            if run != self._worker.run or found == known:
                return
            self._read = found
            if known:
                self._worker.open(run)

        self._app_state.background(lambda: checkpoints_of(run), done)

    # -- which task ----------------------------------------------------------------------------------------------------

    def _take_facts(self, facts: TaskFacts) -> None:
        known = self._facts.components if self._facts is not None else None
        kept = self.editor.context if known == facts.components else facts.first
        self._facts = facts
        self._listed = {"inside": 0 if facts.first in [*map(tuple, facts.inside)][:1] else -1, "outside": -1}
        self.editor.set_facts(facts)
        self.episodes.set_facts(facts)
        self.score.groups = ("inside", "outside") if facts.outside else ("inside",)
        self.parts.offer("task", bool(facts.components))
        self._place_buttons()
        self.shots.clear()
        for button in self.buttons.values():
            button.setEnabled(True)
        self._offer_play(facts)
        self.stack.show_content()
        self.words.show()
        self._edit(kept)

    def _place_buttons(self) -> None:
        """Show the buttons that the task has a use for, without those of a part for which there is no room."""
        if (facts := self._facts) is not None:
            self.buttons["inside"].setVisible(bool(facts.inside))
            self.buttons["outside"].setVisible(bool(facts.outside))
            self.buttons["score"].setVisible(bool(facts.inside) and self.parts.is_shown("scores"))
            self.buttons["play"].setVisible(self.parts.is_shown("episodes") or not has_episodes(facts))

    def _offer_play(self, facts: TaskFacts) -> None:
        self.parts.offer("episodes", has_episodes(facts))
        self._allow_play(facts)

    def _allow_play(self, facts: TaskFacts) -> None:
        self.buttons["play"].setEnabled(has_episodes(facts) and not self._worker.is_awaited)
        self.buttons["play"].setToolTip(self._play_words(facts))

    def _play_words(self, facts: TaskFacts) -> str:
        if self._worker.is_awaited:
            return self._awaited_words()
        if not has_episodes(facts):
            return self.tr("An episode of this task is a single choice: there is nothing to play")
        if facts.domain.task.is_regression:
            return self.tr("Show the answers after each number of shots in the viewport, with support and true curve")
        return self.tr("Show the episodes after each number of shots side by side in the viewport")

    def _take_held_out(self, which: str) -> None:
        if self._facts is None:
            return
        tasks = self._facts.inside if which == "inside" else self._facts.outside
        self._listed[which] = (self._listed[which] + 1) % len(tasks)
        self._edit(tuple(float(value) for value in tasks[self._listed[which]]))

    def _edit(self, context: tuple[float, ...]) -> None:
        """Adapt to another task."""
        self.editor.set_context(context)
        self.episodes.set_context(context)
        self._failure = ""
        self._worker.adapt(context)

    # -- showing -------------------------------------------------------------------------------------------------------

    def _clear(self, words: str) -> None:
        self._facts = self._found = None
        self.stack.say(words)
        self.words.hide()
        for button in self.buttons.values():
            button.setEnabled(False)

    def _take(self, found: Adaptation) -> None:
        self._found = found
        self.episodes.set_adaptation(found)
        self.shots.set_adaptation(found)
        self._stage.show(found)
        self._say()

    def _awaited_words(self) -> str:
        """Return what the result of the task that was asked for last waits for."""
        return self.tr("Waiting for the training run …") if self._app_state.is_running else self.tr("Adapting …")

    def _say(self) -> None:
        """Say what was found, and what is still worked on; dim it where another task is asked for."""
        for veil in self.veils:
            veil.say(self._awaited_words() if self._worker.is_awaited else "")
        if self._facts is not None:
            self._allow_play(self._facts)
        if self._app_state.is_running and self._worker.is_busy:
            waits = self.tr(
                "A run is training in this window. This waits, and goes on by itself when the run ends or is stopped."
            )
            self.words.setText(waits)
            if self._facts is None:
                self.stack.say(waits)
            return
        if self._failure or self._found is None or self._facts is None or self._worker.is_awaited:
            self.words.setText(self._failure or self._awaited_words())
            return
        last = self._found.after[-1]
        words = self.tr("After {0}: {1} {2:.3f} [{3:.3f}, {4:.3f}] over {5} episodes. Checkpoint of step {6}.")
        shots = self.tr("1 shot") if last.shots == 1 else self.tr("{0} shots").format(last.shots)
        score, step = last.score, f"{self._facts.step:,}"
        text = words.format(shots, score.measure, score.score, score.low, score.high, score.episodes, step)
        share = self._worker.scored_share
        if share is not None:
            text = self.tr("Scoring held-out tasks: {0}. {1}").format(f"{share:.0%}", text)
        elif self._worker.is_busy:
            text = f"{text} {self.tr('Adapting further …')}"
        self.words.setText(text)

    def _fail(self, error: Exception) -> None:
        words = self.tr("This run cannot be adapted.")
        text = f"{error.message} {error.remedy}" if isinstance(error, StudioError) else words
        if self._facts is None:
            self._clear(text)
        elif not self._worker.is_awaited:
            self._failure = text
            if self._found is not None:  # what is shown is of this task
                self.editor.set_context(self._found.context)
                self.episodes.set_context(self._found.context)
            self._say()
        if not isinstance(error, StudioError):
            self._app_state.report(error, words)

    # -- the viewport --------------------------------------------------------------------------------------------------

    def _play(self) -> None:
        """Show the episodes side by side in the viewport, from now on those of each further adaptation too."""
        if self._facts is not None:
            name = self.tr("adaptation of {0}").format(self.run.currentText())
            self._stage.play(self._facts, self._found, name)

    def _look(self) -> None:
        """Show how far the scoring is, and adapt to the task that a person asked for in the viewport."""
        if self._worker.scored_share is not None:
            self._say()
        asked = self._stage.take_asked()
        if asked is not None and self._facts is not None:
            self._edit(asked)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        for timer in self._timers:
            timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        for timer in self._timers:
            timer.stop()


PANEL = PanelInfo(
    id="adaptation",
    title="Adaptation",
    summary="A meta-learning run on a task that you choose: its episodes and scores after 0, 1, 2 … shots.",
    area="center",
    order=66,
    factory=AdaptationPanel,
    help="meta-learning",
    reference="MAML: arXiv:1703.03400; RL²: arXiv:1611.02779; PEARL: arXiv:1903.08254",
    shortcuts={
        "Drag the goal in the plane": "Adapt to another task",
        "Arrow keys on a slider": "Turn that component of the context",
        "Ctrl+drag the goal in the viewport, while it plays there": "Adapt to another task",
    },
)
