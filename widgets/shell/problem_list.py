"""The button that counts the experiment's problems, and lists them; choosing one shows its field, or fixes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from studio.contracts import Problem
from widgets.shell.app_state import AppState
from widgets.style import theme


def edits(changes: Mapping[str, Any]) -> str:
    """Return what edits of an experiment do, in words: ``target.image_size: 84``."""
    return ", ".join(f"{name}: {value}" for name, value in changes.items())


class ProblemList(QToolButton):
    """Hidden while there is no problem."""

    field_wanted = Signal(str)  # the dotted field of the chosen problem

    def __init__(self, app_state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._app_state = app_state
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(self.toolButtonStyle().ToolButtonTextBesideIcon)
        self.setAccessibleName(self.tr("Problems of the experiment"))
        theme.set_icon(self, "warning", "warning")
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self.setMenu(self._menu)
        app_state.problems_changed.connect(self.show_problems)
        self.show_problems(app_state.problems)

    def show_problems(self, problems: list[Problem]) -> None:
        """Take a new list of problems."""
        self._menu.clear()
        for problem in problems:
            words = f"{problem.field}: {problem.message}" if problem.field else problem.message
            action = self._menu.addAction(words)
            action.setToolTip(problem.remedy or problem.message)
            action.triggered.connect(lambda _=False, field=problem.field: self.field_wanted.emit(field))
            if problem.changes:
                fix = self._menu.addAction(self.tr("    Fix it: {changes}").format(changes=edits(problem.changes)))
                fix.triggered.connect(lambda _=False, changes=problem.changes: self._app_state.edit(**changes))
        count = len(problems)
        self.setText(self.tr("1 problem") if count == 1 else self.tr("{count} problems").format(count=count))
        self.setToolTip("\n".join(f"{p.message} {p.remedy}".strip() for p in problems))
        self.setVisible(bool(problems))
