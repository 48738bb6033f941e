"""The card with the advice: a recommendation at a glance, why when it is opened, and a button that takes it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget
from shiboken6 import isValid

from widgets.forms.section import Section
from widgets.shell.app_state import AppState
from widgets.style import theme

if TYPE_CHECKING:
    from studio.analysis.advice import Advice

SOON_MS = 500  # after an edit, or a run's news


class AdviceCard(QWidget):
    """Follows the experiment and the runs folder; reads in the background."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._asked = 0
        self.advice: Advice | None = None
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.use = QPushButton()
        self.use.clicked.connect(self._take_recommendation)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(theme.SMALL)
        inner.addWidget(self.words)
        inner.addWidget(self.use, 0, Qt.AlignmentFlag.AlignLeft)
        self.section = Section(self.tr("Advice"), content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.section)
        self.hide()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SOON_MS)
        self._soon.timeout.connect(self.refresh)
        for signal in (app_state.experiment_changed, app_state.runs_changed, app_state.registry_ready):
            signal.connect(lambda *_: self._soon.start())

    def refresh(self) -> None:
        """Ask the rules and the figures again, in the background."""
        state = self._app_state
        if not state.registry_is_ready:
            return
        self._asked += 1
        experiment, folder = state.experiment, state.runs_folder
        kind = state.registry.all("strategies").get(experiment.strategy.id)
        if kind is not None and not kind.requires.target_data:  # the rules are about demonstrations
            self.hide()
            return
        state.background(partial(state.engine.advice, experiment, folder), partial(self._show, self._asked))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._enable()

    def _show(self, number: int, advice: Advice) -> None:
        if not isValid(self) or number != self._asked:  # an answer to an older question is of no use
            return
        from studio.analysis.advice_text import advice_lines

        self.advice = advice
        title = partial(self._app_state.title_of, "strategies")
        lines = advice_lines(advice, title)
        self.words.setText("\n\n".join(lines))
        self.section.set_title(self.tr("Advice: %1").replace("%1", title(advice.strategy)))
        self.section.head.setToolTip(lines[0])
        self.use.setText(self.tr("Use %1").replace("%1", title(advice.strategy)))
        self._enable()
        self.show()

    def _enable(self) -> None:
        if self.advice is not None:
            self.use.setEnabled(self.advice.strategy != self._app_state.experiment.strategy.id)

    def _take_recommendation(self) -> None:
        if self.advice is not None:
            error = self._app_state.edit(strategy={"id": self.advice.strategy, "params": {}})
            if error is not None:
                self._app_state.report(error)
