"""The line under the mouse, which all plots of the same horizontal axis show."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter

from widgets.curves.strokes import pen
from widgets.style import theme


class Cursor(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph has no types
    """The vertical line under the mouse, with a dot on every curve."""

    def __init__(self) -> None:
        super().__init__()
        self._x: float | None = None
        self._dots: list[tuple[float, float, QColor]] = []
        self.setZValue(10)
        self.hide()

    def show_at(self, x: float | None, dots: list[tuple[float, float, QColor]]) -> None:
        """Move it; None hides it."""
        if x is None and self._x is None:
            return
        self._x, self._dots = x, dots
        self.setVisible(x is not None)  # what is hidden is not even asked to paint
        self.update()

    def boundingRect(self) -> QRectF:
        view = self.getViewBox()
        return QRectF(view.viewRect()) if isinstance(view, pg.ViewBox) else QRectF()

    def viewRangeChanged(self, *_: Any) -> None:
        self.prepareGeometryChange()

    viewTransformChanged = viewRangeChanged

    def paint(self, painter: QPainter, *_: Any) -> None:
        view = self.getViewBox()
        if self._x is None or view is None:
            return
        rect = view.viewRect()
        painter.setPen(pen(theme.color("disabled"), dashed=True))
        painter.drawLine(QPointF(self._x, rect.top()), QPointF(self._x, rect.bottom()))
        dx, dy = rect.width() / max(view.width(), 1), rect.height() / max(view.height(), 1)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(pen(theme.color("plot_background")))
        for x, y, color in self._dots:
            painter.setBrush(color)
            painter.drawEllipse(QPointF(x, y), 3.5 * dx, 3.5 * dy)
