"""Toasts: short notices over the window's lower right corner. Errors stay until they are closed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from widgets.style import theme

WIDTH = 380
AT_MOST = 4
SECONDS = {"info": 6, "warning": 12}
MARGIN = theme.LARGE


class Toast(QFrame):
    """One notice: a sentence, perhaps a button, perhaps details behind a button."""

    reshaped = Signal()  # grown, shrunk or gone: the stack must be placed again

    def __init__(
        self, parent: QWidget, level: str, text: str, details: str, action: tuple[str, Callable[[], None]] | None
    ) -> None:
        super().__init__(parent)
        self.text = text
        self.setObjectName("toast")
        self.setAccessibleName(text)
        self.setProperty("role", "card")
        self.setFixedWidth(WIDTH)
        self._symbol = QLabel()
        self._tint = {"info": "accent", "warning": "warning"}.get(level, "error")
        self._symbol_name = {"info": "info", "warning": "warning"}.get(level, "error")
        sentence = QLabel(text)
        sentence.setWordWrap(True)
        sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton()
        close.setAccessibleName(self.tr("Close this notification"))
        close.setToolTip(self.tr("Close"))
        theme.set_icon(close, "close", "muted")
        close.clicked.connect(self.dismiss)
        row = QHBoxLayout()
        row.setSpacing(theme.MEDIUM)
        row.addWidget(self._symbol, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(sentence, 1, Qt.AlignmentFlag.AlignTop)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, theme.MEDIUM, 10)
        layout.setSpacing(theme.MEDIUM)
        layout.addLayout(row)
        if action or details:
            layout.addLayout(self._buttons(action, details))
        self.details = QPlainTextEdit(details)
        self.details.setReadOnly(True)
        self.details.setFont(theme.fixed_font())
        self.details.setFixedHeight(180)
        self.details.hide()
        layout.addWidget(self.details)
        self._paint_symbol()
        theme.on_change(self, self._paint_symbol)
        seconds = None if action else SECONDS.get(level)
        if seconds:
            QTimer.singleShot(seconds * 1000, self, self.dismiss)

    def dismiss(self) -> None:
        """Takes the notice away."""
        self.hide()
        self.deleteLater()
        self.reshaped.emit()

    def _buttons(self, action: tuple[str, Callable[[], None]] | None, details: str) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(theme.WIDE, 0, 0, 0)
        if action:
            button = QPushButton(action[0])
            button.setProperty("accent", True)
            button.clicked.connect(action[1])
            button.clicked.connect(self.dismiss)
            row.addWidget(button)
        if details:
            more = QPushButton(self.tr("Show details"))
            more.setCheckable(True)
            more.toggled.connect(self._show_details)
            row.addWidget(more)
        row.addStretch(1)
        return row

    def _show_details(self, shown: bool) -> None:
        self.details.setVisible(shown)
        self.setFixedWidth(WIDTH + (240 if shown else 0))
        self.reshaped.emit()

    def _paint_symbol(self) -> None:
        self._symbol.setPixmap(theme.icon(self._symbol_name, self._tint).pixmap(theme.ICON))


class Toasts(QObject):
    """The pile of notices of one window."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._pile: list[Toast] = []
        window.installEventFilter(self)

    def show_toast(
        self, level: str, text: str, details: str = "", action: tuple[str, Callable[[], None]] | None = None
    ) -> Toast:
        """Shows a notice. The same sentence is not shown twice at a time."""
        for toast in self.visible():
            if toast.text == text:
                return toast
        while len(self.visible()) >= AT_MOST:
            self.visible()[0].dismiss()
        toast = Toast(self._window, level, text, details, action)
        self._pile.append(toast)
        toast.reshaped.connect(self.place)
        toast.show()
        self.place()
        return toast

    def visible(self) -> list[Toast]:
        """The notices that can be seen, oldest first."""
        self._pile = [toast for toast in self._pile if isValid(toast) and not toast.isHidden()]
        return list(self._pile)

    def place(self) -> None:
        """Piles the notices up over the status bar, the newest lowest."""
        bottom = self._window.height() - MARGIN - 22
        for toast in reversed(self.visible()):
            toast.resize(toast.width(), toast.heightForWidth(toast.width()))  # size hints forget that text wraps
            toast.move(self._window.width() - toast.width() - MARGIN, bottom - toast.height())
            toast.raise_()
            bottom -= toast.height() + theme.MEDIUM

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keeps the pile in its corner when the window is resized."""
        if watched is self._window and event.type() == QEvent.Type.Resize:
            self.place()
        return False
