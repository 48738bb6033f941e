"""Traces: numbers over time in lanes one under the other, with a cursor at the present frame."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRect, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.curves.axis import span
from widgets.style import theme

LEAST = 24  # px, least height of a lane
LEFT = 116  # px for captions and numbers
CURVES = 12  # in a lane; an action may be wider, an eye cannot follow more


def lane_points(values: np.ndarray, rect: QRect) -> list[QPainterPath]:
    """Return the curves of (frames, width) in a rectangle, scaled to their range; broken where there is no number."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    length = span(low, high)
    x = rect.left() + np.linspace(0, rect.width(), max(1, len(values)))
    curves = []
    for column in values[:, :CURVES].T:
        share = (column - low) / length if length else 0.5 + 0 * column
        curves.append(pg.arrayToQPath(x, rect.bottom() - share * rect.height(), connect="finite"))
    return curves


class Traces(QWidget):
    """Lanes that share the height, as high as one can read them at least. A click or drag seeks."""

    sought = Signal(int)  # frame
    lane_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lanes: list[tuple[str, np.ndarray]] = []  # caption, (frames, width)
        self.frame = 0
        self.lane = LEAST  # px, height of each
        self._drawn: QPixmap | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Traces of the episode"))
        theme.on_change(self, self._forget)

    def set_lanes(self, lanes: list[tuple[str, np.ndarray]]) -> None:
        """Draw these from now on."""
        self.lanes = lanes
        self.setMinimumHeight(LEAST * max(1, len(lanes)))
        self._fit()
        self._forget()

    def set_frame(self, frame: int) -> None:
        """Move the cursor."""
        if frame != self.frame:
            self.frame = frame
            self.update()

    def numbers(self) -> list[str]:
        """Return the number of each lane at the cursor; empty for a lane of several curves."""
        rows = [values[min(self.frame, len(values) - 1)] for _, values in self.lanes]
        return ["" if len(row) != 1 else f"{row[0]:.3g}" if np.isfinite(row[0]) else "–" for row in rows]

    def _forget(self) -> None:
        self._drawn = None
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._drawn = None
        self._fit()
        super().resizeEvent(event)

    def _fit(self) -> None:
        lane = max(LEAST, self.height() // max(1, len(self.lanes)))
        if lane != self.lane:
            self.lane = lane
            self.lane_changed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._drawn is None:
            self._drawn = self._draw()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._drawn)
        if not self.lanes:
            return
        x = self._x(self.frame)
        painter.setPen(QPen(theme.color("accent"), 1))
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        painter.setFont(theme.small_font())
        for index, text in enumerate(self.numbers()):
            self._write(painter, text, index * self.lane, Qt.AlignmentFlag.AlignRight, "text")

    def _draw(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        made = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        made.setDevicePixelRatio(ratio)
        made.fill(theme.color("plot_background"))
        painter = QPainter(made)
        painter.setFont(theme.small_font())
        for index, (caption, values) in enumerate(self.lanes):
            top = index * self.lane
            self._write(painter, caption, top, Qt.AlignmentFlag.AlignLeft, "muted")
            painter.setPen(QPen(theme.color("grid"), 1))
            painter.drawLine(0, top + self.lane - 1, self.width(), top + self.lane - 1)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for number, curve in enumerate(lane_points(values, self._lane(top))):
                painter.setPen(QPen(QColor(theme.series(number)), 1))
                painter.drawPath(curve)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.end()
        return made

    def _lane(self, top: int) -> QRect:
        return QRect(LEFT, top + 5, max(1, self.width() - LEFT - theme.MEDIUM), self.lane - 11)

    def _write(self, painter: QPainter, text: str, top: int, side: Qt.AlignmentFlag, ink: str) -> None:
        """Write at the left or right end of the place for captions, in the lane that begins at ``top``."""
        painter.setPen(theme.color(ink))
        box = QRect(theme.MEDIUM, top, LEFT - 2 * theme.MEDIUM, self.lane)
        painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, text)

    def _x(self, frame: int) -> float:
        frames = max(2, max(len(values) for _, values in self.lanes))
        return LEFT + frame / (frames - 1) * self._lane(0).width()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._seek(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons():
            self._seek(event)

    def _seek(self, event: QMouseEvent) -> None:
        if self.lanes:
            frames = max(len(values) for _, values in self.lanes)
            share = (event.position().x() - LEFT) / max(1, self._lane(0).width())
            self.sought.emit(round(min(1.0, max(0.0, share)) * (frames - 1)))
