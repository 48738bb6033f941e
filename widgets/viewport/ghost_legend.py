"""The legend of the translucent robots: a colored dot and a label for each."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPixmap

from studio.contracts import Ghost
from widgets.style import theme
from widgets.viewport import glass

DOT = 8  # px


def picture(ghosts: Sequence[Ghost], widest: int, ratio: float) -> QPixmap | None:
    """Return the legend of those that have a label, at most ``widest`` px wide; None: none has one."""
    labeled = [ghost for ghost in ghosts if ghost.label]
    if not labeled:
        return None
    metrics = QFontMetrics(theme.small_font())
    line, left = metrics.height() + theme.HAIR, theme.MEDIUM + DOT + theme.SMALL
    room = max(1, widest - left - theme.MEDIUM)
    texts = [metrics.elidedText(ghost.label, Qt.TextElideMode.ElideRight, room) for ghost in labeled]
    width = left + max(metrics.horizontalAdvance(text) for text in texts) + theme.MEDIUM
    height = len(texts) * line + 2 * theme.SMALL
    pixmap = glass.blank(width, height, ratio)
    painter = glass.painter_on(pixmap)
    glass.pane(painter, QRectF(0, 0, width, height))
    for row, (ghost, text) in enumerate(zip(labeled, texts, strict=True)):
        top = theme.SMALL + row * line
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor.fromRgbF(*ghost.color[:3]))
        painter.drawEllipse(QPointF(theme.MEDIUM + DOT / 2, top + line / 2), DOT / 2, DOT / 2)
        painter.setPen(glass.INK)
        painter.drawText(QRectF(left, top, width - left, line), Qt.AlignmentFlag.AlignVCenter, text)
    painter.end()
    return pixmap
