"""A panel's content that scrolls up and down, and is never cut off at its right."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import QScrollArea, QWidget

WIDEST = 420  # px that a content can ask for: one long name in it must not push the window off the screen


class ScrollColumn(QScrollArea):
    """As wide as its content at least, which Qt's own is not where it has no bar to scroll sideways with."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        content.setObjectName("scrolled")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        self._content = content

    def minimumSizeHint(self) -> QSize:
        least = super().minimumSizeHint()
        inside = min(self._content.minimumSizeHint().width(), WIDEST)
        return QSize(max(least.width(), inside + self.verticalScrollBar().sizeHint().width()), least.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # of the content, that Qt tells the area alone
            self.updateGeometry()
        return super().eventFilter(watched, event)
