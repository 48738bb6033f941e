"""How the run table paints: the color that shows and hides a run, the success with its interval, the state."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QLineF,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from widgets.curves.overlay import Overlay
from widgets.runs.report import rate
from widgets.runs.table import INFO, PROGRESS, RUNS
from widgets.style import theme

Index = QModelIndex | QPersistentModelIndex
_STATE_COLORS = {
    "preparing": "accent",
    "running": "accent",
    "paused": "warning",
    "stopped": "muted",
    "finished": "success",
    "failed": "error",
    "interrupted": "warning",
    "waiting": "muted",
    "skipped": "disabled",
}


def _ground(painter: QPainter, option: QStyleOptionViewItem) -> None:
    """Selection and hover, as the style draws them for every other cell."""
    style = option.widget.style() if option.widget is not None else QApplication.style()
    style.drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget)


class SwatchDelegate(QStyledItemDelegate):
    """A square in the run's color: filled while the run is drawn, empty otherwise. A click turns it over."""

    def __init__(self, overlay: Overlay, parent: Any) -> None:
        super().__init__(parent)
        self._overlay = overlay

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        _ground(painter, option)
        shown = Qt.CheckState(index.data(Qt.ItemDataRole.CheckStateRole))
        runs = [run.folder for run in index.data(RUNS)]
        side = 11.0
        box = QRectF(option.rect.center().x() - side / 2 + 0.5, option.rect.center().y() - side / 2 + 0.5, side, side)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if shown != Qt.CheckState.Unchecked:
            color = self._overlay.color(next(folder for folder in runs if self._overlay.is_shown(folder)))
            is_whole = shown == Qt.CheckState.Checked
            painter.setPen(Qt.PenStyle.NoPen if is_whole else QPen(color, 1.2))
            painter.setBrush(color if is_whole else theme.blend(color, theme.color("surface"), 0.35))
        else:
            painter.setPen(QPen(theme.color("disabled"), 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 3, 3)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(26, option.fontMetrics.height() + 9)

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        if (
            isinstance(event, QMouseEvent)
            and event.type() == QEvent.Type.MouseButtonRelease
            and event.button() == Qt.MouseButton.LeftButton
        ):
            shown = Qt.CheckState(index.data(Qt.ItemDataRole.CheckStateRole)) == Qt.CheckState.Checked
            state = Qt.CheckState.Unchecked if shown else Qt.CheckState.Checked
            return model.setData(index, state, Qt.ItemDataRole.CheckStateRole)
        return False


class SuccessDelegate(QStyledItemDelegate):
    """The rate in digits, and a bar over 0 to 1 with the interval as whiskers."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        _ground(painter, option)
        run = index.data(INFO)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(option.rect).adjusted(6, 0, -8, 0)
        digits = option.fontMetrics.horizontalAdvance("0.00") + 8
        known = math.isfinite(run.success)
        painter.setPen(theme.color("text" if known else "disabled"))
        painter.drawText(
            area, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), rate(run.success, run.measure)
        )
        bar = QRectF(area.left() + digits, area.center().y() - 3, area.width() - digits, 6)
        if known and bar.width() > 20 and run.measure == "success":  # a return has no natural scale
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("hover" if not option.state & QStyle.StateFlag.State_Selected else "border"))
            painter.drawRoundedRect(bar, 3, 3)
            accent = theme.color("accent")
            painter.setBrush(theme.blend(accent, theme.color("surface"), 0.55))
            filled = QRectF(bar.left(), bar.top(), max(bar.width() * run.success, 3.0), bar.height())
            painter.drawRoundedRect(filled, 3, 3)
            if math.isfinite(run.low) and math.isfinite(run.high):
                left, right, y = (
                    bar.left() + bar.width() * run.low,
                    bar.left() + bar.width() * run.high,
                    bar.center().y(),
                )
                painter.setPen(QPen(theme.color("text"), 1.2))
                painter.drawLines(
                    [QLineF(left, y, right, y), QLineF(left, y - 4, left, y + 4), QLineF(right, y - 4, right, y + 4)]
                )
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(option.fontMetrics.horizontalAdvance("0.00") + 84, 22)


class StateDelegate(QStyledItemDelegate):
    """A dot in the state's color, the state in words, and a thin bar of progress while it runs."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        _ground(painter, option)
        run, fraction = index.data(INFO), index.data(PROGRESS)
        tint = theme.color(_STATE_COLORS.get(run.state, "muted"))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(option.rect).adjusted(6, 0, -6, 0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        painter.drawEllipse(QPointF(area.left() + 4, area.center().y()), 3.5, 3.5)
        words = area.adjusted(14, 0, 0, 0)
        text = option.fontMetrics.elidedText(
            index.data(Qt.ItemDataRole.DisplayRole), Qt.TextElideMode.ElideRight, int(words.width())
        )
        painter.setPen(theme.color("text"))
        painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)
        if fraction is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            track = QRectF(words.left(), area.bottom() - 3, words.width(), 2)
            painter.setBrush(theme.color("border"))
            painter.drawRect(track)
            painter.setBrush(tint)
            painter.drawRect(QRectF(track.left(), track.top(), track.width() * min(max(fraction, 0.0), 1.0), 2))
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(option.fontMetrics.horizontalAdvance("interrupted") + 30, 22)
