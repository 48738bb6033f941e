"""Dark glass with light text: how numbers and legends lie on the picture, whose brightness follows no color scheme."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPixmap

from widgets.style import theme

GLASS, INK, FAINT = QColor(16, 19, 24, 178), QColor(240, 243, 247), QColor(176, 184, 196)
GREEN, AMBER, RED = QColor(62, 207, 154), QColor(240, 184, 73), QColor(255, 123, 134)


def blank(width: int, height: int, ratio: float) -> QPixmap:
    """Return a transparent pixmap of ``width`` × ``height`` px, of ``ratio`` device pixels each."""
    made = QPixmap(max(1, round(width * ratio)), max(1, round(height * ratio)))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    return made


def painter_on(pixmap: QPixmap) -> QPainter:
    """Return a painter for smooth shapes and small text on a pixmap."""
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.small_font())
    return painter


def pane(painter: QPainter, box: QRect | QRectF) -> None:
    """Draw an empty pane."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(GLASS)
    painter.drawRoundedRect(QRectF(box), theme.RADIUS, theme.RADIUS)


def chip(painter: QPainter, text: str, x: int, y: int, ink: QColor) -> QRect:
    """Draw a line of text on a pane with its upper left corner at (x, y), and return its place."""
    box = QRect(x, y, chip_width(painter, text), QFontMetrics(painter.font()).height() + 6)
    pane(painter, box)
    painter.setPen(ink)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
    return box


def chip_width(painter: QPainter, text: str) -> int:
    """Return the width of a chip with a text, px."""
    return QFontMetrics(painter.font()).horizontalAdvance(text) + 2 * theme.MEDIUM
