"""The legend of the translucent robots: a colored dot and a label for each, on dark glass."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPixmap

from studio.contracts import Ghost
from widgets.style import theme
from widgets.viewport import canvas as viewport_canvas

DOT = 8  # px


def picture(ghosts: Sequence[Ghost], widest: int, glass: QColor, ink: QColor, ratio: float) -> QPixmap | None:
    """Return the legend of those that have a label, at most ``widest`` px wide; None: none has one."""
    labeled = [ghost for ghost in ghosts if ghost.label]
    if not labeled:
        return None
    font = theme.small_font()
    metrics = QFontMetrics(font)
    line, left = metrics.height() + theme.HAIR, theme.MEDIUM + DOT + theme.SMALL
    room = max(1, widest - left - theme.MEDIUM)
    texts = [metrics.elidedText(ghost.label, Qt.TextElideMode.ElideRight, room) for ghost in labeled]
    width = left + max(metrics.horizontalAdvance(text) for text in texts) + theme.MEDIUM
    height = len(texts) * line + 2 * theme.SMALL
    pixmap = viewport_canvas.blank(width, height, ratio)
    painter = viewport_canvas.begin(pixmap)
    painter.setFont(font)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(glass)
    painter.drawRoundedRect(QRectF(0, 0, width, height), theme.RADIUS, theme.RADIUS)
    for row, (ghost, text) in enumerate(zip(labeled, texts, strict=True)):
        top = theme.SMALL + row * line
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor.fromRgbF(*ghost.color[:3]))
        painter.drawEllipse(QPointF(theme.MEDIUM + DOT / 2, top + line / 2), DOT / 2, DOT / 2)
        painter.setPen(ink)
        painter.drawText(QRectF(left, top, width - left, line), Qt.AlignmentFlag.AlignVCenter, text)
    painter.end()
    return pixmap
