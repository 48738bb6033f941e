"""Dims a widget whose content is not the present one, and says why."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from widgets.style import theme

DIMMED = 0.75  # of the content's contrast is gone


class Veil(QWidget):
    """Lies over all of a widget, and lets the mouse through."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self.words, self._over = "", over
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        over.installEventFilter(self)
        self.hide()

    def say(self, words: str) -> None:
        """Dim, with these words; none: show the content whole again."""
        self.words = words
        self.setAccessibleName(words)
        self.setGeometry(self._over.rect())
        self.setVisible(bool(words))
        self.raise_()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._over.rect())
        return super().eventFilter(watched, event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(theme.color("plot_background"))
        ground.setAlphaF(DIMMED)
        painter.fillRect(self.rect(), ground)
        flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        room = self.rect().adjusted(theme.MEDIUM, theme.MEDIUM, -theme.MEDIUM, -theme.MEDIUM)
        place: QRect = painter.boundingRect(room, flags, self.words)
        painter.setPen(theme.color("accent"))
        painter.setBrush(theme.color("plot_background"))
        edge = theme.SMALL
        painter.drawRoundedRect(place.adjusted(-edge, -edge, edge, edge), theme.RADIUS, theme.RADIUS)
        painter.setPen(theme.color("text"))
        painter.drawText(place, flags, self.words)
