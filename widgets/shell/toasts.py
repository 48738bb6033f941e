"""Toasts: short notices over the window's lower right corner, a few at a time, for some seconds.

All of them stay in a list, which :class:`widgets.shell.notice_list.NoticeList` shows. A notice with a key is not shown
again once a person has closed it or acted on it, also not at the next start.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtCore import QEvent, QObject, QSettings, Qt, QTimer, Signal
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
AT_MOST = 3  # toasts at a time
LISTED = 50  # notices
REMEMBERED = 200  # keys of closed notices
SECONDS = {"info": 6, "warning": 12, "error": 30}
MARGIN = theme.LARGE
TINTS = {"info": "accent", "warning": "warning", "error": "error"}  # the icons have the levels' names
_DISMISSED = "notices/dismissed"  # in the settings


@dataclass(frozen=True)
class Notice:
    """A sentence for the user, perhaps with details (a traceback) and something to do about it.

    Args:
        level: info, warning or error.
        action: a button's label, and what it does.
        key: what the notice is about; empty where closing it need not be remembered.
    """

    level: str
    text: str
    details: str = ""
    action: tuple[str, Callable[[], None]] | None = None
    key: str = ""
    time: float = field(default_factory=time.time)  # seconds since the epoch


class Toast(QFrame):
    """Shows one notice, until its time is over or it is closed. It stays while the mouse is over it or its details
    are open."""

    reshaped = Signal()  # grown, shrunk or gone: the stack must be placed again
    closed = Signal()  # by a person, who has read it or acted on it

    def __init__(self, parent: QWidget, notice: Notice) -> None:
        super().__init__(parent)
        self.notice = notice
        self.setObjectName("toast")
        self.setAccessibleName(notice.text)
        self.setProperty("role", "card")
        self.setFixedWidth(WIDTH)
        self._symbol = QLabel()
        sentence = QLabel(notice.text)
        sentence.setWordWrap(True)
        sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton()
        close.setAccessibleName(self.tr("Close this notification"))
        close.setToolTip(self.tr("Close"))
        theme.set_icon(close, "close", "muted")
        close.clicked.connect(self.close_by_hand)
        row = QHBoxLayout()
        row.setSpacing(theme.MEDIUM)
        row.addWidget(self._symbol, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(sentence, 1, Qt.AlignmentFlag.AlignTop)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, theme.MEDIUM, 10)
        layout.setSpacing(theme.MEDIUM)
        layout.addLayout(row)
        if notice.action or notice.details:
            layout.addLayout(self._buttons())
        self.details = QPlainTextEdit(notice.details)
        self.details.setReadOnly(True)
        self.details.setFont(theme.fixed_font())
        self.details.setFixedHeight(180)
        self.details.hide()
        layout.addWidget(self.details)
        self._paint_symbol()
        theme.on_change(self, self._paint_symbol)
        self.timer = QTimer(self)
        self.timer.setInterval(1000 * SECONDS[notice.level])
        self.timer.timeout.connect(self._expire)
        self.timer.start()

    @property
    def text(self) -> str:
        """The notice's sentence."""
        return self.notice.text

    def leave(self) -> None:
        """Take the toast away; the notice stays in the list."""
        self.hide()
        self.deleteLater()
        self.reshaped.emit()

    def close_by_hand(self) -> None:
        """Take the toast away because a person wants that."""
        self.closed.emit()
        self.leave()

    def _expire(self) -> None:
        if not self.underMouse() and self.details.isHidden():
            self.leave()

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(theme.WIDE, 0, 0, 0)
        if self.notice.action:
            label, call = self.notice.action
            button = QPushButton(label)
            button.setProperty("accent", True)
            button.clicked.connect(lambda: call())  # without the button's state
            button.clicked.connect(self.close_by_hand)
            row.addWidget(button)
        if self.notice.details:
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
        level = self.notice.level
        self._symbol.setPixmap(theme.icon(level, TINTS[level]).pixmap(theme.ICON))


class Toasts(QObject):
    """The notices of one window: the newest as toasts, all of them in :attr:`notices`.

    Args:
        window: where the toasts are shown.
        settings: where the keys of closed notices are kept; None keeps them only as long as the window lives.
    """

    changed = Signal()  # the list

    def __init__(self, window: QWidget, settings: QSettings | None = None) -> None:
        super().__init__(window)
        self._window, self._settings = window, settings
        self._stack: list[Toast] = []
        self.notices: list[Notice] = []  # oldest first, each sentence once
        kept = "[]" if settings is None else str(settings.value(_DISMISSED, "[]"))
        self._dismissed: list[str] = json.loads(kept)
        window.installEventFilter(self)

    def show_toast(self, level: str, text: str, details: str = "") -> None:
        """Show a notice."""
        self.show_notice(Notice(level, text, details))

    def show_notice(self, notice: Notice) -> None:
        """Show a notice and list it, unless a person has closed one of the same key. A sentence that is being shown is
        not shown twice."""
        if notice.key and notice.key in self._dismissed:
            return
        if any(toast.text == notice.text for toast in self.visible()):
            return
        self._keep([*(other for other in self.notices if other.text != notice.text), notice])
        while len(self.visible()) >= AT_MOST:
            self.visible()[0].leave()
        toast = Toast(self._window, notice)
        self._stack.append(toast)
        toast.reshaped.connect(self.place)
        toast.closed.connect(lambda: self._dismiss(notice))
        toast.show()
        self.place()

    def withdraw_offers(self) -> None:
        """Remove the notices that have an action, when it no longer applies."""
        for toast in self.visible():
            if toast.notice.action:
                toast.leave()
        self._keep([notice for notice in self.notices if not notice.action])

    def clear(self) -> None:
        """Close every notice."""
        for toast in self.visible():
            toast.leave()
        for notice in self.notices:
            self._dismiss(notice)
        self._keep([])

    def visible(self) -> list[Toast]:
        """Return the toasts that can be seen, oldest first."""
        self._stack = [toast for toast in self._stack if isValid(toast) and not toast.isHidden()]
        return list(self._stack)

    def place(self) -> None:
        """Stack the toasts over the status bar, the newest lowest."""
        bottom = self._window.height() - MARGIN - 22
        for toast in reversed(self.visible()):
            toast.resize(toast.width(), toast.heightForWidth(toast.width()))  # size hints forget that text wraps
            toast.move(self._window.width() - toast.width() - MARGIN, bottom - toast.height())
            toast.raise_()
            bottom -= toast.height() + theme.MEDIUM

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the stack in its corner when the window is resized."""
        if watched is self._window and event.type() == QEvent.Type.Resize:
            self.place()
        return False

    def _dismiss(self, notice: Notice) -> None:
        if not notice.key:
            return
        self._dismissed = [*(key for key in self._dismissed if key != notice.key), notice.key][-REMEMBERED:]
        if self._settings is not None:
            self._settings.setValue(_DISMISSED, json.dumps(self._dismissed))
        self._keep([other for other in self.notices if other.key != notice.key])

    def _keep(self, notices: list[Notice]) -> None:
        self.notices = notices[-LISTED:]
        self.changed.emit()
