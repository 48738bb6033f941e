"""What the panels of runs look like: a bar, a list or a sentence where it is empty, and a summary."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from widgets.forms.content_stack import ContentStack
from widgets.style import theme


class ActionBar(QHBoxLayout):
    """Buttons of actions, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.setSpacing(theme.HAIR)

    def add_actions(self, actions: Iterable[QAction], text: bool = False) -> None:
        """Add a button for each action: its icon, beside it its ``text`` where that is wanted."""
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if text else Qt.ToolButtonStyle.ToolButtonIconOnly
        for action in actions:
            button = QToolButton()
            button.setDefaultAction(action)
            button.setToolButtonStyle(style)
            button.setAccessibleName(action.text().replace("&", ""))
            self.addWidget(button)


class ListPanel(QWidget):
    """A bar over a list, and a summary under it. A subclass makes the view and calls :meth:`arrange`."""

    def __init__(self) -> None:
        super().__init__()
        self.summary = QLabel()
        self.summary.setProperty("role", "muted")
        self.summary.setFont(theme.small_font(self.font()))
        self.summary.setMinimumWidth(1)  # a long summary must not widen the dock

    def arrange(self, bar: ActionBar, view: QWidget, empty: str) -> None:
        """Lay the panel out; ``empty`` is the sentence in the place of an empty list."""
        self.stack = ContentStack(view, empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.SMALL)
        column.setSpacing(theme.SMALL)
        column.addLayout(bar)
        column.addWidget(self.stack, 1)
        column.addWidget(self.summary)

    def show_list(self, filled: bool) -> None:
        """Show the list where there is something in it, else the sentence."""
        self.stack.show_content(filled)
