"""The values at the head of a plot: short texts, each in its curve's color, at the right of the room they have.

A label with rich text would lay out a document, and the plot with it, at every new number.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

GAP = "   "  # between two values


class Readout(QWidget):
    """Takes (color, text) pairs; its size does not depend on them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts: list[tuple[str, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height())

    minimumSizeHint = sizeHint

    def text(self) -> str:
        """What stands there."""
        return GAP.join(text for _, text in self._parts)

    def set_parts(self, parts: list[tuple[str, str]]) -> None:
        """Show these texts, each in the color of that name; nothing is redrawn where nothing changed."""
        if parts != self._parts:
            self._parts = parts
            self.setAccessibleName(self.text())
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._parts:
            return
        painter = QPainter(self)
        metrics = painter.fontMetrics()
        gap = metrics.horizontalAdvance(GAP)
        widths = [metrics.horizontalAdvance(text) for _, text in self._parts]
        x = self.width() - sum(widths) - gap * (len(widths) - 1)
        base = (self.height() + metrics.ascent() - metrics.descent()) / 2
        for (tint, text), width in zip(self._parts, widths, strict=True):
            painter.setPen(QColor(tint))
            painter.drawText(QPointF(x, base), text)
            x += width + gap
