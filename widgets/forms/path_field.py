"""The editor of a file's path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QToolButton, QWidget

from widgets.forms.texts import Text
from widgets.style import theme


class PathField(QWidget):
    """A file's path: typed, chosen, dropped or cleared."""

    edited = Signal()

    def __init__(self, filter: str = "") -> None:
        super().__init__()
        self._filter = filter
        self.line = Text()
        self.line.setPlaceholderText(self.tr("none"))
        self.line.edited.connect(self.edited)
        self.setFocusProxy(self.line)
        self.setAcceptDrops(True)
        self.line.setAcceptDrops(False)  # the drop comes to us, also over the line
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.HAIR)
        layout.addWidget(self.line, 1)
        for icon, words, call in (
            ("folder", self.tr("Choose a file"), self._choose),
            ("close", self.tr("Clear"), self._clear),
        ):
            button = QToolButton()
            button.setToolTip(words)
            button.setAccessibleName(words)
            theme.set_icon(button, icon, "muted")
            button.clicked.connect(call)
            layout.addWidget(button)
        self._clear_button = button
        self.line.textChanged.connect(lambda text: button.setVisible(bool(text)))
        button.hide()

    def value(self) -> str | None:
        return self.line.text().strip() or None

    def set_value(self, value: Any) -> None:
        self.line.set_value(value)
        self.line.setToolTip("" if value is None else str(value))

    def take(self, path: Path) -> None:
        """Take a path as if it had been typed."""
        self.set_value(path)
        self.edited.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if len(event.mimeData().urls()) == 1 and event.mimeData().urls()[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.take(Path(event.mimeData().urls()[0].toLocalFile()))

    def _choose(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, self.tr("Choose a file"), self.value() or "", self._filter)
        if name:
            self.take(Path(name))

    def _clear(self) -> None:
        self.set_value(None)
        self.edited.emit()
