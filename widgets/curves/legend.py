"""The legend beside the plots: one row for each curve of the active plot, with its value under the cursor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QTableView, QVBoxLayout, QWidget

from widgets.curves.axis import clock, kind_name
from widgets.curves.curve import Curve
from widgets.curves.plot import CurvePlot
from widgets.style import theme

Index = QModelIndex | QPersistentModelIndex
VALUE = "−0.000e+00 "  # as wide as a usual value


def swatch(color: QColor, dashed: bool = False, dot: bool = False) -> QIcon:
    """A short line in a curve's color, as it is drawn."""
    picture = QPixmap(32, 32)
    picture.setDevicePixelRatio(2)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(color, 2.0)
    if dashed:
        pen.setDashPattern([1.6, 1.2])
    painter.setPen(pen)
    painter.drawLine(QPointF(1, 8), QPointF(15, 8))
    if dot:
        painter.setBrush(color)
        painter.drawEllipse(QPointF(8, 8), 2.2, 2.2)
    painter.end()
    return QIcon(picture)


class LegendRow:
    """One curve of the legend."""

    def __init__(
        self, run: Path | None, label: str, color: QColor, dashed: bool, value: str, whole: str, group: str = ""
    ) -> None:
        self.group = group  # of an average over seeds
        self.run, self.label, self.color, self.dashed, self.value = run, label, color, dashed, value
        self.whole = whole  # the value with its interval, for the tool tip

    def look(self) -> tuple[Any, ...]:
        """What decides the row but for its value."""
        return (self.run, self.group, self.label, self.color.name(), self.dashed)


class _Model(QAbstractTableModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: list[LegendRow] = []

    def set_rows(self, rows: list[LegendRow]) -> None:
        if [row.look() for row in rows] == [row.look() for row in self.rows]:
            self.rows = rows
            if rows:  # only the values moved
                self.dataChanged.emit(self.index(0, 1), self.index(len(rows) - 1, 1))
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 2

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.label if index.column() == 0 else row.value
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return swatch(row.color, row.dashed)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join([f"{row.label}: {row.whole}", *([str(row.run)] if row.run is not None else [])])
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == 1:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None


class CurveLegend(QWidget):
    """See the module."""

    run_clicked = Signal(object)  # Path or None
    group_clicked = Signal(str)  # an average over seeds

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.caption = QLabel()
        self.caption.setProperty("role", "muted")
        self.caption.setFont(theme.small_font(self.font()))
        self.model = _Model(self)
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.horizontalHeader().hide()
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setAccessibleName(self.tr("Legend: runs and their values at the cursor"))
        self.table.clicked.connect(self._click)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.SMALL, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.caption)
        column.addWidget(self.table)

    def _click(self, index: Index) -> None:
        row = self.model.rows[index.row()]
        if row.group:
            self.group_clicked.emit(row.group)
        else:
            self.run_clicked.emit(row.run)

    def set_rows(self, caption: str, rows: list[LegendRow]) -> None:
        """Show the curves of one plot and their values."""
        self.caption.setText(caption)
        self.caption.setToolTip(caption)
        self.model.set_rows(rows)

    def wanted_width(self) -> int:
        """Return the width at which no name is cut, px; values have the width of a usual one."""
        return max(self.table.sizeHintForColumn(0), 0) + self.fontMetrics().horizontalAdvance(VALUE) + 2 * theme.MEDIUM

    def show_plot(self, plot: CurvePlot, x: float | None, timed: bool) -> None:
        """Show the curves of a plot with their values at x (None: the latest); ``timed``: x is in seconds."""
        rows = []
        for curve in _in_order(plot.content.curves):
            index = curve.at(x) if x is not None else len(curve.x) - 1
            text = whole = "–"
            if index is not None and len(curve.x):
                text, whole = (plot.head.value_text(curve, index, interval) for interval in (False, True))
            kind = kind_name(curve.kind) if len({c.kind for c in plot.content.curves}) > 1 else ""
            label = f"{curve.label} · {kind}" if kind else curve.label
            if curve.seeds:
                label = f"{'▾' if curve.is_open else '▸'} {label}"
                whole += self.tr(", mean and 95% interval over {count} seeds").format(count=curve.seeds)
            elif curve.group:
                label = f"     {label}"
            group = curve.group if curve.seeds else ""
            rows.append(LegendRow(curve.run, label, curve.color, curve.secondary, text, whole, group))
        where = self.tr("latest") if x is None else clock(x) if timed else self.tr("step %1").replace("%1", f"{x:,.0f}")
        self.set_rows(" · ".join(t for t in (plot.head.name(), plot.head.stage_name(), where) if t), rows)


def _in_order(curves: list[Curve]) -> list[Curve]:
    """Return the curves with the seeds of an average behind it."""
    places: dict[str, int] = {}
    for place, curve in enumerate(curves):
        if curve.seeds:
            places.setdefault(curve.group, place)
    last = len(curves)
    return sorted(curves, key=lambda curve: (places.get(curve.group, last), not curve.seeds))
