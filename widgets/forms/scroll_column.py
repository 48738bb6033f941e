"""A panel's content that scrolls up and down, and sideways only where the window is too narrow for it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize
from PySide6.QtWidgets import QScrollArea, QWidget

WIDEST = 280  # px that a content can ask for: three columns, one with an inspector, fit into 1000 px


class ScrollColumn(QScrollArea):
    """As wide as its content, which Qt's own is not, up to a width that leaves room for the other columns."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        content.setObjectName("scrolled")
        self.setWidgetResizable(True)
        self.setWidget(content)
        self._content = content

    def minimumSizeHint(self) -> QSize:
        least = super().minimumSizeHint()
        inside = min(self._content.minimumSizeHint().width(), WIDEST)
        return QSize(max(least.width(), inside + self.verticalScrollBar().sizeHint().width()), least.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # of the content; Qt sends it to the area alone
            self.updateGeometry()
        return super().eventFilter(watched, event)
