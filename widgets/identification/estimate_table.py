"""What was identified, as a table: value, interval on the range that was searched, or in words that it cannot be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from widgets.style import theme

if TYPE_CHECKING:
    from studio.sysid import Estimate

BAR_WIDTH, BAR_HEIGHT = 90, 20


class IntervalBar(QWidget):
    """The range as a groove, the interval on it, the estimate as a line; nominal as a tick, a known truth as a ring."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._range = (0.0, 1.0)
        self._log = False
        self._interval: tuple[float, float, float] | None = None
        self._nominal = 0.0
        self._truth: float | None = None
        theme.on_change(self, self.update)

    def sizeHint(self) -> QSize:
        return QSize(BAR_WIDTH, BAR_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, BAR_HEIGHT)

    def show_estimate(self, range_: tuple[float, float], estimate: Estimate, truth: float | None) -> None:
        """Take what is drawn; a range above 0 is drawn on a logarithmic axis."""
        self._range, self._log = range_, range_[0] > 0
        shown = estimate.identifiable
        self._interval = (estimate.low, estimate.value, estimate.high) if shown else None
        self._nominal, self._truth = estimate.nominal, truth
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("border"))
        painter.drawRoundedRect(QRectF(4, middle - 2, self.width() - 8, 4), 2, 2)
        if self._interval is not None:
            low, value, high = (self._x(v) for v in self._interval)
            left, right = min(low, value - 3), max(high, value + 3)
            painter.setBrush(theme.color("accent"))
            painter.drawRoundedRect(QRectF(left, middle - 5, right - left, 10), 3, 3)
        painter.setPen(QPen(theme.color("muted"), 1))
        nominal = self._x(self._nominal)
        painter.drawLine(QPointF(nominal, 1), QPointF(nominal, self.height() - 1))
        if self._truth is not None:
            painter.setPen(QPen(theme.color("success"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(self._x(self._truth), middle), 7, 7)

    def _x(self, value: float) -> float:
        low, high = self._range
        value = min(max(value, low), high)
        if self._log:
            share = math.log(value / low) / math.log(high / low)
        else:
            share = (value - low) / (high - low)
        return 9 + share * (self.width() - 18)


class EstimateTable(QWidget):
    """One row for each parameter."""

    def __init__(self, titles: dict[str, str]) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.MEDIUM)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(2, 1)
        for column, words in enumerate((self.tr("Parameter"), self.tr("Estimate"), self.tr("90% interval"))):
            head = QLabel(words)
            head.setProperty("role", "muted")
            head.setFont(theme.small_font())
            grid.addWidget(head, 0, column)
        self.values: dict[str, QLabel] = {}
        self.bars: dict[str, IntervalBar] = {}
        self.notes: dict[str, QLabel] = {}
        for row, (field, title) in enumerate(titles.items()):
            value, bar, note = QLabel("–"), IntervalBar(), QLabel()
            value.setMinimumWidth(64)
            note.setProperty("role", "muted")
            note.setFont(theme.small_font())
            note.setWordWrap(True)
            grid.addWidget(QLabel(title), 2 * row + 1, 0)
            grid.addWidget(value, 2 * row + 1, 1)
            grid.addWidget(bar, 2 * row + 1, 2)
            grid.addWidget(note, 2 * row + 2, 0, 1, 3)
            note.hide()
            self.values[field], self.bars[field], self.notes[field] = value, bar, note

    def show_estimates(
        self,
        found: dict[str, Estimate],
        ranges: dict[str, tuple[float, float]],
        truth: dict[str, float] | None,
    ) -> None:
        """Fill the rows. ``truth`` is what was hidden, where the person chose it."""
        for field, estimate in found.items():
            known = truth.get(field, estimate.nominal) if truth is not None else None
            self.bars[field].show_estimate(ranges[field], estimate, known)
            words = self._interval(field, estimate)
            if known is not None:
                words += "  " + self.tr("hidden: {0}").format(self._number(field, known))
            self.bars[field].setToolTip(words)
            self.bars[field].setAccessibleName(words)
            note = self.notes[field]
            if estimate.identifiable:
                self.values[field].setText(self._number(field, estimate.value))
                note.hide()
            else:
                self.values[field].setText(self.tr("unknown"))
                note.setText(self.tr("Not identifiable: {0}.").format(estimate.reason))
                note.show()
            self.values[field].setToolTip(words)

    def _interval(self, field: str, estimate: Estimate) -> str:
        low, high = self._number(field, estimate.low), self._number(field, estimate.high)
        if not estimate.identifiable:
            return self.tr("anywhere from {0} to {1}").format(low, high)
        return self.tr("from {0} to {1}").format(low, high)

    @staticmethod
    def _number(field: str, value: float) -> str:
        return f"{1000 * value:.1f} ms" if field == "actuator_delay" else f"×{value:.3f}"
