"""The command palette: every command of the window, found by a few characters of its name or its help."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from widgets.style import theme


class Palette(QDialog):
    """A field and a list; Enter triggers the chosen command, Escape closes."""

    def __init__(self, parent: QWidget, actions: Sequence[QAction]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Find a command"))
        self.setMinimumWidth(520)
        self._actions = [action for action in actions if action.text()]
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Type part of its name"))
        self.search.setAccessibleName(self.tr("Find a command"))
        self.search.textChanged.connect(self._fill)
        self.search.installEventFilter(self)
        self.search.returnPressed.connect(self._trigger)
        self.found = QListWidget()
        self.found.setAccessibleName(self.tr("Commands"))
        self.found.itemActivated.connect(self._trigger)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(theme.MEDIUM)
        layout.addWidget(self.search)
        layout.addWidget(self.found)
        self._fill("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Send arrow keys to the list; typing goes to the field."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step and self.found.count():
                self.found.setCurrentRow((self.found.currentRow() + step) % self.found.count())
                return True
        return super().eventFilter(watched, event)

    def _fill(self, typed: str) -> None:
        words = typed.casefold().split()
        self.found.clear()
        matches: list[tuple[int, QAction, str, str]] = []
        for action in self._actions:
            name = action.text().replace("&", "").rstrip("…")
            help = action.statusTip() or action.toolTip()
            if all(part in f"{name} {help}".casefold() for part in words):
                matches.append((_rank(name, words), action, name, help))
        for _, action, name, help in sorted(matches, key=lambda match: match[0]):  # of one rank: the menus' order
            keys = action.shortcut().toString()
            item = QListWidgetItem(f"{name}   –   {help}" + (f"   [{keys}]" if keys else ""))
            item.setData(Qt.ItemDataRole.UserRole, action)
            if not action.isEnabled():
                item.setForeground(theme.color("disabled"))
            self.found.addItem(item)
        self.found.setCurrentRow(0)

    def _trigger(self, *_: object) -> None:
        item = self.found.currentItem()
        action = item.data(Qt.ItemDataRole.UserRole) if item else None
        if action is not None and action.isEnabled():
            self.accept()
            action.trigger()


def _rank(name: str, words: list[str]) -> int:
    """Return where a match stands: 0 where it begins the name, 1 where it is in it, 2 in the description alone."""
    folded = name.casefold()
    if folded.startswith(" ".join(words)):
        return 0
    return 1 if all(part in folded for part in words) else 2
