"""The legend of a colored path: a small bar of its colors with the numbers at its ends."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QLinearGradient, QPixmap

from widgets.curves.axis import number
from widgets.style import theme
from widgets.viewport import glass

BAR = (120, 8)  # px


def picture(title: str, full: float, ratio: float) -> QPixmap:
    """Return a bar from −``full`` to ``full`` under its title."""
    from studio.viewer.decorations import diverging  # the package is loaded with MuJoCo, never with the window

    line = QFontMetrics(theme.small_font()).height()
    width, height = BAR[0] + 2 * theme.MEDIUM, 2 * line + BAR[1] + 2 * theme.SMALL + theme.HAIR
    pixmap = glass.blank(width, height, ratio)
    painter = glass.painter_on(pixmap)
    glass.pane(painter, QRectF(0, 0, width, height))
    bar = QRectF(theme.MEDIUM, theme.SMALL + line, *BAR)
    colors = QLinearGradient(QPointF(bar.left(), 0), QPointF(bar.right(), 0))
    for place in (0.0, 0.5, 1.0):
        colors.setColorAt(place, QColor.fromRgbF(*diverging(2 * place - 1)))
    painter.setBrush(colors)
    painter.drawRoundedRect(bar, 2, 2)
    painter.setPen(glass.INK)
    flag = Qt.AlignmentFlag
    painter.drawText(QRectF(bar.left(), theme.HAIR, BAR[0], line), flag.AlignHCenter | flag.AlignVCenter, title)
    below = QRectF(bar.left(), bar.bottom() + theme.HAIR, BAR[0], line)
    ends = ((f"−{number(full)}", flag.AlignLeft), ("0", flag.AlignHCenter), (f"+{number(full)}", flag.AlignRight))
    for text, side in ends:
        painter.drawText(below, side | flag.AlignVCenter, text)
    painter.end()
    return pixmap
