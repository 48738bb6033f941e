"""Numbers over time under the picture, with a cursor that moves along.

Those of a recorded episode are drawn once, those of the policy that plays a few times a second.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QComboBox, QSizePolicy, QVBoxLayout, QWidget

from widgets.curves.axis import span
from widgets.style import theme

LANE = (24, 44)  # px, least and greatest height of one trace
LEFT = 116  # px for names
MOST = 12  # curves in a lane; an action may be wider, an eye cannot follow more
LIVE_LANE = 30  # px, greatest height while a policy plays: there are more of them, and the picture matters more
FIXED = ("action", "reward", "value", "entropy", "score")  # lanes that are always there where there are numbers


def lane_points(values: np.ndarray, rect: QRect) -> list[QPainterPath]:
    """Curves of (frames, width) within a rectangle, scaled to the lane's own range; broken where there is no number."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    length = span(low, high)
    x = rect.left() + np.linspace(0, rect.width(), max(1, len(values)))
    curves = []
    for column in values[:, :MOST].T:
        share = (column - low) / length if length else 0.5 + 0 * column
        curves.append(pg.arrayToQPath(x, rect.bottom() - share * rect.height(), connect="finite"))
    return curves


class Traces(QWidget):
    """The lanes. A click or drag seeks."""

    sought = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lanes: list[tuple[str, np.ndarray]] = []  # caption, (frames, width)
        self.frame = 0
        self.lane = LANE[1]
        self._drawn: QPixmap | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Traces of the episode"))
        theme.on_change(self, self._forget)

    def set_lanes(self, lanes: list[tuple[str, np.ndarray]]) -> None:
        """Draws these from now on."""
        self.lanes = lanes
        self.setFixedHeight(self.lane * max(1, len(lanes)))
        self._forget()

    def set_frame(self, frame: int) -> None:
        """Moves the cursor."""
        if frame != self.frame:
            self.frame = frame
            self.update()

    def _forget(self) -> None:
        self._drawn = None
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._drawn = None
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._drawn is None:
            self._drawn = self._draw()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._drawn)
        if not self.lanes:
            return
        x = self._x(self.frame)
        painter.setPen(QPen(theme.color("accent"), 1))
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        painter.setFont(theme.small_font())
        for index, (_, values) in enumerate(self.lanes):
            row = values[min(self.frame, len(values) - 1)]
            if len(row) == 1:
                text = f"{row[0]:.3g}" if np.isfinite(row[0]) else "–"
                self._write(painter, text, index * self.lane, Qt.AlignmentFlag.AlignRight, "text")

    def _draw(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        made = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        made.setDevicePixelRatio(ratio)
        made.fill(theme.color("plot_background"))
        painter = QPainter(made)
        painter.setFont(theme.small_font())
        for index, (caption, values) in enumerate(self.lanes):
            top = index * self.lane
            self._write(painter, caption, top, Qt.AlignmentFlag.AlignLeft, "muted")
            painter.setPen(QPen(theme.color("grid"), 1))
            painter.drawLine(0, top + self.lane - 1, self.width(), top + self.lane - 1)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for number, curve in enumerate(lane_points(values, self._lane(top))):
                painter.setPen(QPen(QColor(theme.series(number)), 1))
                painter.drawPath(curve)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.end()
        return made

    def _lane(self, top: int) -> QRect:
        return QRect(LEFT, top + 5, max(1, self.width() - LEFT - theme.MEDIUM), self.lane - 11)

    def _write(self, painter: QPainter, text: str, top: int, side: Qt.AlignmentFlag, ink: str) -> None:
        """At the left or right end of the place for names, in the lane that begins at ``top``."""
        painter.setPen(theme.color(ink))
        box = QRect(theme.MEDIUM, top, LEFT - 2 * theme.MEDIUM, self.lane)
        painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, text)

    def _x(self, frame: int) -> float:
        frames = max(2, max(len(values) for _, values in self.lanes))
        return LEFT + frame / (frames - 1) * self._lane(0).width()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._seek(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons():
            self._seek(event)

    def _seek(self, event: QMouseEvent) -> None:
        if self.lanes:
            frames = max(len(values) for _, values in self.lanes)
            share = (event.position().x() - LEFT) / max(1, self._lane(0).width())
            self.sought.emit(round(min(1.0, max(0.0, share)) * (frames - 1)))


class TraceStrip(QWidget):
    """Action, reward, what the policy says, and of a recording an observation of the user's choice."""

    sought = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.traces = Traces()
        self.traces.sought.connect(self.sought)
        self.choice = QComboBox()
        self.choice.setAccessibleName(self.tr("Observation"))
        self.choice.setToolTip(self.tr("Which observation is drawn under action and reward"))
        self.choice.activated.connect(lambda _: self._fill())
        self._all: Mapping[str, np.ndarray] | None = None
        self._score = ""
        self._room = LANE[1]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.traces)
        self.choice.setParent(self.traces)
        self.hide()

    def set_traces(self, traces: Mapping[str, np.ndarray] | None, score: str = "") -> None:
        """Of the recorded episode, or of the policy that plays; None: there is nothing. ``score`` is its title."""
        if traces is self._all:
            return
        self._all, self._score = traces, score
        self.setVisible(traces is not None)
        if traces is None:
            return
        kept = self.choice.currentText()
        names = [name for name in traces if name not in FIXED]
        if [self.choice.itemText(i) for i in range(self.choice.count())] != names:
            self.choice.clear()
            self.choice.addItems(names)
            self.choice.setCurrentIndex(max(0, names.index(kept) if kept in names else 0))
        self._fill()

    def set_frame(self, frame: int) -> None:
        """Moves the cursor."""
        if self._all is not None:
            self.traces.set_frame(frame)

    def set_room(self, height: int) -> None:
        """How high the whole panel is: in a low one the picture goes first."""
        room = min(max(height // 16, LANE[0]), LANE[1])
        if room != self._room:
            self._room = room
            if self._all is not None:
                self._fill()

    def _fill(self) -> None:
        assert self._all is not None
        captions = {
            "action": self.tr("Action"),
            "reward": self.tr("Reward"),
            "value": self.tr("Value"),
            "entropy": self.tr("Entropy"),
            "score": self._score or self.tr("Score"),
        }
        chosen = self.choice.currentText()
        lanes = [(captions[name], self._all[name]) for name in FIXED if name in self._all]
        if chosen in self._all:
            lanes.append(("", self._all[chosen]))  # the choice stands where its caption would
        self.traces.lane = self._room if self.choice.count() else min(self._room, LIVE_LANE)
        self.traces.set_lanes(lanes)
        self.choice.setVisible(self.choice.count() > 0)
        self.choice.setGeometry(2, self.traces.height() - self.traces.lane + 1, LEFT - theme.SMALL - 2, 22)
