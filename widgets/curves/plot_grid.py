"""Where the plots lie: small multiples in as many columns as make them largest, scrolled where there are many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QScrollArea, QWidget

from widgets.curves.plot import CurvePlot
from widgets.style import theme

MIN_PLOT = QSize(150, 98)


class _Canvas(QWidget):
    resized = Signal()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()


class PlotGrid(QScrollArea):
    """Lays plots out and keeps them large when its own size changes."""

    arranged = Signal()  # plots may have come into view

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.columns = 1
        self._plots: list[CurvePlot] = []
        canvas = _Canvas()
        canvas.setObjectName("scrolled")
        self._grid = QGridLayout(canvas)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(theme.SMALL + theme.HAIR)
        self.setWidgetResizable(True)
        self.setWidget(canvas)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().valueChanged.connect(lambda _: self.arranged.emit())
        canvas.resized.connect(self._arrange)

    def set_plots(self, plots: Sequence[CurvePlot]) -> None:
        """Show these plots, in order; plots that are no longer among them are deleted."""
        for plot in [plot for plot in self._plots if plot not in plots]:
            self._grid.removeWidget(plot)
            plot.hide()
            plot.deleteLater()
        self._plots = list(plots)
        for plot in self._plots:
            plot.setMinimumSize(MIN_PLOT)
        self._arrange()

    def _arrange(self) -> None:
        """Choose the number of columns that makes the plots largest without making them tall and thin."""
        count = len(self._plots)
        if not count:
            return
        width, height = self.viewport().width(), self.viewport().height()

        def size_of_plots(columns: int) -> float:
            rows = math.ceil(count / columns)
            wide, tall = width / columns, height / rows
            return -1.0 if wide < MIN_PLOT.width() and columns > 1 else min(wide / 1.5, tall)

        self.columns = columns = max(range(1, count + 1), key=size_of_plots)
        for index, plot in enumerate(self._plots):
            at = self._grid.indexOf(plot)
            if at < 0 or self._place_of(at) != divmod(index, columns):
                self._grid.addWidget(plot, *divmod(index, columns))
            plot.show()
        for place in range(max(self._grid.columnCount(), columns)):
            self._grid.setColumnStretch(place, 1 if place < columns else 0)
        rows = math.ceil(count / columns)
        for place in range(max(self._grid.rowCount(), rows)):
            self._grid.setRowStretch(place, 1 if place < rows else 0)
        self.arranged.emit()

    def _place_of(self, index: int) -> tuple[int, int]:
        place: Any = self._grid.getItemPosition(index)
        return place[0], place[1]
