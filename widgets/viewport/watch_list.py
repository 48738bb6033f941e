"""The list of watched fields: a line to enter them, and for each its live value and a small trace."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QSize, QStringListModel, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import (
    QCompleter,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets.style import theme
from widgets.viewport.field_watcher import Reading

TRACE_LENGTH = 150  # readings: five seconds at 30 pictures a second
CURVES = 6  # numbers of one field that are drawn
MAX_FIELDS = 12


class Sparkline(QWidget):
    """The last readings, scaled to their own range."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: deque[np.ndarray] = deque(maxlen=TRACE_LENGTH)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(120, 30)

    def add(self, values: np.ndarray) -> None:
        """Add a reading, (count,)."""
        if self.rows and len(self.rows[-1]) != len(values[:CURVES]):
            self.rows.clear()
        self.rows.append(values[:CURVES])
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.color("plot_background"))
        if len(self.rows) < 2:
            return
        table = np.nan_to_num(np.array(self.rows))
        low, high = float(table.min()), float(table.max())
        span, height = (high - low) or 1.0, self.height() - 5
        x = np.linspace(0, self.width() - 1, TRACE_LENGTH)[-len(table) :]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, column in enumerate(table.T):
            y = 2 + height * (1 - (column - low) / span) if high > low else np.full(len(table), 2 + height / 2)
            painter.setPen(QPen(theme.series(number), 1))
            painter.drawPolyline(QPolygonF([QPointF(a, b) for a, b in zip(x, y)]))


class _Row(QWidget):
    removed = Signal(str)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self._wrong = False
        name = QLabel(text)
        name.setFont(theme.small_font(bold=True))
        name.setToolTip(text)
        self.value = QLabel("…")
        self.value.setFont(theme.small_font())
        self.value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.value.setAccessibleName(self.tr("Value of {0}").format(text))
        drop = QToolButton()
        drop.setFixedSize(20, 18)
        drop.setAutoRaise(True)
        drop.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        drop.setToolTip(self.tr("Stop watching"))
        drop.setAccessibleName(self.tr("Stop watching {0}").format(text))
        theme.set_icon(drop, "close", "muted")
        drop.clicked.connect(lambda: self.removed.emit(self.text))
        self.spark = Sparkline()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, theme.SMALL)
        grid.setSpacing(theme.SMALL)
        grid.addWidget(name, 0, 0)
        grid.addWidget(self.value, 0, 1)
        grid.addWidget(drop, 0, 2)
        grid.addWidget(self.spark, 1, 0, 1, 3)
        grid.setColumnStretch(1, 1)

    def take(self, reading: Reading) -> None:
        values = reading.values
        if (values is None) != self._wrong:
            self._wrong = values is None
            self.value.setWordWrap(self._wrong)
            self.value.setProperty("role", "problem" if self._wrong else "")
            self.value.style().polish(self.value)
            self.spark.setVisible(not self._wrong)
        if values is None:
            self.value.setText(reading.problem)
            return
        numbers = ", ".join(f"{v:.4g}" for v in values[:CURVES])
        text = numbers if len(values) <= CURVES else self.tr("{0}, … ({1})").format(numbers, len(values))
        self.value.setText(text)
        self.spark.add(values)


class WatchList(QWidget):
    """Fields of MuJoCo's data that a person watches."""

    changed = Signal(tuple)  # all that is watched now

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = QLineEdit()
        self.line.setPlaceholderText(self.tr("qpos[3], qfrc_actuator, sensordata …"))
        self.line.setAccessibleName(self.tr("Field to watch"))
        self.line.setToolTip(
            self.tr(
                "A field of MuJoCo's data, with rows by number or name: qpos[3], qpos[0:3], xpos[hand,2], "
                "sensordata[name]. Enter adds it."
            )
        )
        self._completions = QStringListModel(self)
        completer = QCompleter(self._completions, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.line.setCompleter(completer)
        self.line.returnPressed.connect(self._add)
        self.rows: list[_Row] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(theme.SMALL)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.MEDIUM, 0, theme.MEDIUM, theme.MEDIUM)
        top = QHBoxLayout()
        top.addWidget(self.line, 1)
        layout.addLayout(top)
        layout.addLayout(self._list)

    @property
    def texts(self) -> tuple[str, ...]:
        """The fields that are watched."""
        return tuple(row.text for row in self.rows)

    def set_fields(self, names: Sequence[str]) -> None:
        """Offer these as completions."""
        self._completions.setStringList(sorted(names))

    def follow(self, readings: Sequence[Reading]) -> None:
        """Show the present readings."""
        known = {row.text: row for row in self.rows}
        for reading in readings:
            if reading.text in known:
                known[reading.text].take(reading)

    def _add(self) -> None:
        text = self.line.text().strip()
        if not text or text in self.texts or len(self.rows) >= MAX_FIELDS:
            return
        row = _Row(text)
        row.removed.connect(self._remove)
        self.rows.append(row)
        self._list.addWidget(row)
        self.line.clear()
        self.changed.emit(self.texts)

    def _remove(self, text: str) -> None:
        for row in [row for row in self.rows if row.text == text]:
            self.rows.remove(row)
            row.deleteLater()
        self.changed.emit(self.texts)
