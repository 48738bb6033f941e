"""The heat map: a table view whose cells are colored by score, and drawn by state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QKeyEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from studio.analysis.matrix_table import Cell
from widgets.matrix.model import CELL, MatrixModel
from widgets.style import theme

Index = QModelIndex | QPersistentModelIndex
STRIP = 5  # px: the line of seeds at a cell's lower edge
LEAST = (62, 40)  # px of a cell
ROOMY = 104  # px from which a cell says its interval in full
HEAD = 0.35  # of the width, at most, for the strategies' titles


class CellDelegate(QStyledItemDelegate):
    """Draws the score over its color, the interval below, and a strip with a piece for each seed."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model: Any = index.model()
        cell: Cell | None = index.data(CELL)
        area: QRect = option.rect.adjusted(1, 1, -1, -1)
        painter.save()
        ground = theme.color("surface")
        if cell is not None and cell.finished:
            ground = self._tint(model, cell.score)
        painter.fillRect(area, ground)
        ink = theme.color("muted") if cell is None or not cell.finished else ink_on(ground)
        if cell is not None:
            self._draw_state(painter, area, cell, ink)
            self._draw_words(painter, area, model, cell, ink)
            self._draw_seeds(painter, area, model, cell)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(theme.color("text"), 2))
            painter.drawRect(area.adjusted(1, 1, -1, -1))
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(*LEAST)

    def _tint(self, model: MatrixModel, score: float) -> QColor:
        low, high = model.table.range
        return theme.sequential((score - low) / (high - low) if high > low else 0.5)

    def _draw_state(self, painter: QPainter, area: QRect, cell: Cell, ink: QColor) -> None:
        """Empty cells have a dashed edge, running ones a thick one in the accent, failed ones are hatched."""
        edge = area.adjusted(1, 1, -2, -2)
        if cell.state == "failed":
            brush = QBrush(theme.color("error"), Qt.BrushStyle.BDiagPattern)
            painter.fillRect(QRect(area.left(), area.top(), 10, area.height()) if cell.finished else area, brush)
            painter.setPen(QPen(theme.color("error"), 2))
            painter.drawRect(edge)
        elif cell.state == "running":
            painter.setPen(QPen(theme.color("accent"), 3))
            painter.drawRect(edge)
        elif not cell.finished:
            painter.setPen(QPen(theme.color("border"), 1, Qt.PenStyle.DashLine))
            painter.drawRect(edge)

    def _draw_words(self, painter: QPainter, area: QRect, model: MatrixModel, cell: Cell, ink: QColor) -> None:
        upper = QRect(area.left(), area.top(), area.width(), (area.height() - STRIP) // 2 + 2)
        lower = QRect(area.left(), upper.bottom() - 1, area.width(), area.height() - STRIP - upper.height())
        font = painter.font()
        font.setBold(bool(cell.finished))
        painter.setFont(font)
        if not cell.finished and cell.state in ("failed", "running"):
            ink = theme.color("text")
            for place in (upper, lower):
                painter.fillRect(place.adjusted(6, 1, -6, -1), theme.color("surface"))
        painter.setPen(ink)
        painter.drawText(upper, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, model.words(cell))
        painter.setFont(theme.small_font(painter.font()))
        painter.drawText(lower, Qt.AlignmentFlag.AlignCenter, model.second_line(cell, area.width() >= ROOMY))

    def _draw_seeds(self, painter: QPainter, area: QRect, model: MatrixModel, cell: Cell) -> None:
        """Draw a piece for each seed: its score's color, red where it failed, accent where it runs, or an outline."""
        wide = area.width() / len(cell.runs)
        for place, run in enumerate(cell.runs.values()):
            left = round(area.left() + place * wide)
            piece = QRect(left, area.bottom() - STRIP + 1, round(area.left() + (place + 1) * wide) - left - 1, STRIP)
            painter.fillRect(piece, theme.color("plot_background"))
            if run is None or run.state in ("stopped", "interrupted"):
                painter.setPen(theme.color("border"))
                painter.drawRect(piece.adjusted(0, 0, -1, -1))
                continue
            tint = {"finished": self._tint(model, run.success), "failed": theme.color("error")}
            painter.fillRect(piece.adjusted(0, 1, 0, 0), tint.get(run.state, theme.color("accent")))


class MatrixView(QTableView):
    """Shows a matrix. A click, Enter or Space takes the selected cells' runs to ``choose``."""

    def __init__(self, model: MatrixModel, choose: Callable[[list[Path]], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._choose = model, choose
        self.setModel(model)
        self.setItemDelegate(CellDelegate(self))
        self.setShowGrid(False)
        self.setCornerButtonEnabled(False)
        self.setTabKeyNavigation(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setAccessibleName(self.tr("Matrix of strategies and numbers of episodes"))
        for header, least in ((self.horizontalHeader(), LEAST[0]), (self.verticalHeader(), LEAST[1])):
            header.setMinimumSectionSize(least)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
            header.setHighlightSections(False)
            header.setSectionsClickable(False)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(LEAST[1])
        self.clicked.connect(lambda _index: self.take())
        theme.on_change(self, self.viewport().update)

    def take(self) -> None:
        """Give the runs of the selected cells to whoever shows them."""
        cells = [self._model.cell(index) for index in self.selectionModel().selectedIndexes()]
        runs = [run for cell in cells if cell is not None for run in cell.runs.values() if run is not None]
        if runs:
            self._choose([run.folder for run in runs])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.take()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.verticalHeader().setMaximumWidth(max(80, int(HEAD * self.width())))
        super().resizeEvent(event)

    def image(self) -> QImage:
        """Return a picture of the whole matrix, whatever part of it is scrolled into view."""
        sheet = MatrixView(self._model, self._choose)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
        sheet.setFrameShape(QTableView.Shape.NoFrame)
        sheet.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        sheet.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        sheet.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        rows, columns = self._model.rowCount(), self._model.columnCount()
        sheet.resize(180 + columns * (ROOMY + 16), sheet.horizontalHeader().sizeHint().height() + rows * LEAST[1])
        sheet.show()  # not on the screen: this makes Qt lay it out
        picture = sheet.grab().toImage()
        sheet.deleteLater()
        return picture


def ink_on(ground: QColor) -> QColor:
    """Return black or white, whichever is read better on a color."""
    light = 0.2126 * ground.redF() ** 2.2 + 0.7152 * ground.greenF() ** 2.2 + 0.0722 * ground.blueF() ** 2.2
    return QColor("#101418" if light > 0.18 else "#ffffff")
