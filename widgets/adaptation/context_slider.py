"""A slider of one component of a context, whose range of training is marked on its groove."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.style import theme

SIDE, GROOVE = 8.0, 4.0  # px left and right of the groove, and its height
KNOB = 6.0  # px
ROUNDING = 1e-9  # of the whole groove
STEPS = 100  # of the arrow keys, from end to end


class ContextSlider(QWidget):
    """The part of the groove that training draws from is filled; beyond it the groove is hollow."""

    turned = Signal(float)  # by a person

    def __init__(self, low: float, high: float, inside: tuple[float, float], name: str) -> None:
        super().__init__()
        self._low, self._high, self._inside, self._value = low, high, inside, low
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        theme.on_change(self, self.update)

    def set_value(self, value: float) -> None:
        """Show a value without emitting."""
        self._value = min(self._high, max(self._low, value))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(110, 22)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, 22)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._turn(self._at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._turn(self._at(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        ways = {Qt.Key.Key_Left: -1, Qt.Key.Key_Down: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: 1}
        way = ways.get(Qt.Key(event.key()))
        if way is None:
            super().keyPressEvent(event)
        else:
            self._turn(self._value + way * (self._high - self._low) / STEPS)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        groove = QRectF(SIDE, middle - GROOVE / 2, self.width() - 2 * SIDE, GROOVE)
        painter.setPen(QPen(theme.color("border"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(groove, GROOVE / 2, GROOVE / 2)
        left, right = (self._x(max(self._low, min(self._high, end))) for end in self._inside)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.blend(theme.color("accent"), theme.color("surface"), 0.55))
        painter.drawRoundedRect(QRectF(left, groove.top(), right - left, GROOVE), GROOVE / 2, GROOVE / 2)
        rounding = ROUNDING * (self._high - self._low)
        is_inside = self._inside[0] - rounding <= self._value <= self._inside[1] + rounding
        painter.setBrush(theme.color("accent" if is_inside else "warning"))
        painter.setPen(QPen(theme.color("text" if self.hasFocus() else "surface"), 1.5))
        painter.drawEllipse(QPointF(self._x(self._value), middle), KNOB, KNOB)

    def _x(self, value: float) -> float:
        share = (value - self._low) / ((self._high - self._low) or 1.0)
        return SIDE + share * (self.width() - 2 * SIDE)

    def _at(self, x: float) -> float:
        share = (x - SIDE) / max(1.0, self.width() - 2 * SIDE)
        return self._low + min(1.0, max(0.0, share)) * (self._high - self._low)

    def _turn(self, value: float) -> None:
        before = self._value
        self.set_value(value)
        if self._value != before:
            self.turned.emit(self._value)
