"""A slider with three handles: the two ends of a range, and one value to look at; the distribution drawn over it."""

from __future__ import annotations

import math
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.style import theme

Handle = Literal["low", "high", "value"]
Distribution = Literal["uniform", "log_uniform", "normal"]
SIDE = 8.0  # px left and right of the groove, so that handles are not cut
GROOVE_Y = 19.0  # px from the top
DENSITY = 13.0  # px, height of the drawn density
REACH = 9.0  # px, how near a handle the mouse must be


class RangeSlider(QWidget):
    """Low and high are round handles on the groove; the value looked at is the pointer under it."""

    range_changed = Signal(float, float)
    value_changed = Signal(float)

    def __init__(
        self, minimum: float, maximum: float, nominal: float, step: float, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.minimum, self.maximum, self.nominal, self.step = minimum, maximum, nominal, step
        self.low, self.high, self.value = minimum, maximum, nominal
        self.distribution: Distribution = "uniform"
        self.std = 0.0  # of the normal distribution; 0: a quarter of the range
        self.active = True  # whether the range is drawn as one that applies
        self.reached: tuple[float, float] | None = None  # how far a curriculum has come in the range
        self._held: Handle | None = None
        self._hover: Handle | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.on_change(self, self.update)

    def sizeHint(self) -> QSize:
        return QSize(160, 32)

    def minimumSizeHint(self) -> QSize:
        return QSize(90, 32)

    def set_range(self, low: float, high: float) -> None:
        """Show a range without emitting. One beyond the scale widens the scale."""
        self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        self.low, self.high = low, high
        self.update()

    def set_distribution(self, distribution: Distribution, std: float = 0.0) -> None:
        """How values are drawn in the range."""
        self.distribution, self.std = distribution, std
        self.update()

    def set_reached(self, reached: tuple[float, float] | None) -> None:
        """The part of the range that is drawn from by now; None: all of it."""
        if reached != self.reached:
            self.reached = reached
            self.update()

    def set_value(self, value: float) -> None:
        """Show a value without emitting."""
        self.value = min(self.maximum, max(self.minimum, value))
        self.update()

    # -- geometry ------------------------------------------------------------------------------------------------------

    def x_of(self, value: float) -> float:
        share = (value - self.minimum) / ((self.maximum - self.minimum) or 1)
        return SIDE + share * (self.width() - 2 * SIDE)

    def _at(self, x: float) -> float:
        share = (x - SIDE) / max(1.0, self.width() - 2 * SIDE)
        value = self.minimum + min(1.0, max(0.0, share)) * (self.maximum - self.minimum)
        snapped = round(value / self.step) * self.step
        return min(self.maximum, max(self.minimum, snapped))

    def handle_at(self, where: QPointF) -> Handle | None:
        """The handle under the mouse; the pointer's lower half first, as it lies under the others."""
        if where.y() > GROOVE_Y + 2 and abs(where.x() - self.x_of(self.value)) <= REACH:
            return "value"
        near: list[tuple[float, Handle]] = []
        if self.active:
            near = [(abs(where.x() - self.x_of(self.low)), "low"), (abs(where.x() - self.x_of(self.high)), "high")]
            if self.low == self.high:  # pull apart to the side the mouse is on
                near = [near[where.x() > self.x_of(self.low)]]
        near.append((abs(where.x() - self.x_of(self.value)) + 2, "value"))
        distance, handle = min(near)
        return handle if distance <= REACH else None

    # -- mouse and keys ------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._held = self.handle_at(event.position()) or "value"  # a click on the scale looks at that value
        self._move(self._held, self._at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is not None:
            self._move(self._held, self._at(event.position().x()))
            return
        hover = self.handle_at(event.position())
        if hover != self._hover:
            self._hover = hover
            self.setCursor(Qt.CursorShape.SizeHorCursor if hover else Qt.CursorShape.ArrowCursor)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None
        self.update()

    def leaveEvent(self, event: object) -> None:
        self._hover = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        turn = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if turn is None:
            super().keyPressEvent(event)
            return
        handle: Handle = "value"
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            handle = "high"
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            handle = "low"
        if handle == "value" or self.active:
            self._move(handle, getattr(self, handle) + turn * self.step)

    def _move(self, handle: Handle, value: float) -> None:
        value = round(min(self.maximum, max(self.minimum, value)), 9)
        if handle == "value":
            if value != self.value:
                self.value = value
                self.value_changed.emit(value)
        else:
            low, high = (min(value, self.high), self.high) if handle == "low" else (self.low, max(value, self.low))
            if (low, high) != (self.low, self.high):
                self.low, self.high = low, high
                self.range_changed.emit(low, high)
        self.update()

    # -- painting ------------------------------------------------------------------------------------------------------

    def density(self, value: float) -> float:
        """Height of the distribution's density at a value of the range, 1 at its highest."""
        if self.distribution == "log_uniform" and self.low > 0:
            return self.low / value  # 1/x
        if self.distribution == "normal":
            std = self.std or (self.high - self.low) / 4
            return math.exp(-(((value - (self.low + self.high) / 2) / std) ** 2) / 2) if std else 1.0
        return 1.0

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        accent = theme.color("accent" if self.active else "disabled")
        left, right = self.x_of(self.low), self.x_of(self.high)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("border"))
        painter.drawRoundedRect(QRectF(SIDE, GROOVE_Y - 1.5, self.width() - 2 * SIDE, 3), 1.5, 1.5)
        if self.active:
            self._paint_density(painter, left, right)
            painter.setBrush(accent)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawRect(QRectF(left, GROOVE_Y - 1.5, right - left, 3))
            if self.reached is not None:
                inner = [min(right, max(left, self.x_of(end))) for end in self.reached]
                painter.setBrush(theme.color("success"))
                painter.drawRect(QRectF(inner[0] - 1, GROOVE_Y - 2.5, inner[1] - inner[0] + 2, 5))
        tick = self.x_of(self.nominal)
        painter.setPen(QPen(theme.color("muted"), 1))
        painter.drawLine(QPointF(tick, GROOVE_Y - 4), QPointF(tick, GROOVE_Y + 4))
        if self.active:
            for name, x in (("low", left), ("high", right)):
                near = name in (self._hover, self._held)
                painter.setPen(QPen(accent, 1.6))
                painter.setBrush(theme.color("accent_soft" if near else "raised"))
                painter.drawEllipse(QPointF(x, GROOVE_Y), 4.6, 4.6)
        self._paint_pointer(painter)
        if self.hasFocus():
            painter.setPen(QPen(theme.color("accent"), 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)

    def _paint_density(self, painter: QPainter, left: float, right: float) -> None:
        base = GROOVE_Y - 2
        even = self.distribution == "uniform"
        path = QPainterPath(QPointF(left, base))
        samples = 2 if even else max(2, math.ceil(right - left) // 2)
        tops = []
        for i in range(samples):
            share = i / (samples - 1)
            height = DENSITY * self.density(self.low + share * (self.high - self.low)) * (0.6 if even else 1.0)
            tops.append(QPointF(left + share * (right - left), base - height))
            path.lineTo(tops[-1])
        path.lineTo(right, base)
        path.closeSubpath()
        painter.setBrush(theme.color("accent_soft"))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawPath(path)
        painter.setPen(QPen(theme.color("accent"), 1))
        painter.drawPolyline(tops)

    def _paint_pointer(self, painter: QPainter) -> None:
        x, near = self.x_of(self.value), "value" in (self._hover, self._held)
        shape = QPolygonF([QPointF(x, GROOVE_Y + 3), QPointF(x + 4.5, GROOVE_Y + 10), QPointF(x - 4.5, GROOVE_Y + 10)])
        painter.setPen(QPen(theme.color("surface"), 1))
        painter.setBrush(theme.color("warning").lighter(115) if near else theme.color("warning"))
        painter.drawPolygon(shape)
