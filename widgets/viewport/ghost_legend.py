"""The legend of the translucent robots, and of what is shown beside them: a colored dot and a name for each."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPixmap

from studio.contracts.decorations import Color
from widgets.style import theme
from widgets.viewport import glass

DOT = 8  # px


def picture(entries: Sequence[tuple[str, Color]], widest: int, ratio: float) -> QPixmap | None:
    """Return the legend of names and colors, at most ``widest`` px wide; None: there are none."""
    if not entries:
        return None
    metrics = QFontMetrics(theme.small_font())
    line, left = metrics.height() + theme.HAIR, theme.MEDIUM + DOT + theme.SMALL
    room = max(1, widest - left - theme.MEDIUM)
    texts = [metrics.elidedText(name, Qt.TextElideMode.ElideRight, room) for name, _ in entries]
    width = left + max(metrics.horizontalAdvance(text) for text in texts) + theme.MEDIUM
    height = len(texts) * line + 2 * theme.SMALL
    pixmap = glass.blank(width, height, ratio)
    painter = glass.painter_on(pixmap)
    glass.pane(painter, QRectF(0, 0, width, height))
    for row, ((_, color), text) in enumerate(zip(entries, texts, strict=True)):
        top = theme.SMALL + row * line
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor.fromRgbF(*color[:3]))
        painter.drawEllipse(QPointF(theme.MEDIUM + DOT / 2, top + line / 2), DOT / 2, DOT / 2)
        painter.setPen(glass.INK)
        painter.drawText(QRectF(left, top, width - left, line), Qt.AlignmentFlag.AlignVCenter, text)
    painter.end()
    return pixmap
