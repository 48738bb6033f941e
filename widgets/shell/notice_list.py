"""The list behind the toasts: a button in the status bar that opens every notice again."""

from __future__ import annotations

import time
from functools import partial

from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from widgets.shell.toasts import TINTS, Toasts
from widgets.style import theme

LONGEST = 90  # characters of a notice in the list; the tool tip has all of it
_LEVELS = ("info", "warning", "error")


class NoticeList(QToolButton):
    """Shows how many notices there were, with the icon of the most serious one. Hidden while there is none."""

    def __init__(self, toasts: Toasts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._toasts = toasts
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(self.toolButtonStyle().ToolButtonTextBesideIcon)
        self.setFont(theme.small_font())
        self.setAccessibleName(self.tr("Notifications"))
        self.setToolTip(self.tr("Every notification since the start; choose one to read it again"))
        self.list = QMenu(self)
        self.list.setToolTipsVisible(True)
        self.list.aboutToShow.connect(self._fill)
        self.setMenu(self.list)
        toasts.changed.connect(self._count)
        self._count()

    def _count(self) -> None:
        notices = self._toasts.notices
        self.setVisible(bool(notices))
        if notices:
            worst = max((notice.level for notice in notices), key=_LEVELS.index)
            theme.set_icon(self, worst, TINTS[worst])
            self.setText(str(len(notices)))

    def _fill(self) -> None:
        self.list.clear()
        for notice in reversed(self._toasts.notices):
            stamp = time.strftime("%H:%M", time.localtime(notice.time))
            words = notice.text if len(notice.text) <= LONGEST else f"{notice.text[: LONGEST - 1]}…"
            action = self.list.addAction(f"{stamp}   {words}".replace("&", "&&"))
            action.setToolTip(notice.text)
            action.setIcon(theme.icon(notice.level, TINTS[notice.level]))
            action.triggered.connect(partial(self._toasts.show_notice, notice))
        self.list.addSeparator()
        self.list.addAction(self.tr("&Clear the list"), self._toasts.clear)
