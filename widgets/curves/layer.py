"""Draws all curves of one plot as one graphics item.

pyqtgraph's own item for each curve costs about 2 ms a curve and paint; thirty overlaid runs would stop the window. Here
every curve is reduced to the least and greatest value of each pixel column, once for each change of range, and drawn
with opaque 1 px pens.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from pyqtgraph import functions as fn
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from widgets.curves.content import Content
from widgets.curves.curve import Curve
from widgets.curves.strokes import decimate, pen, polygon
from widgets.style import theme

_SMOOTH_UP_TO = 8  # curves; antialiasing more of them costs too much
_BANDS_UP_TO = 4  # runs; more overlapping bands hide each other
_GROUP_BANDS_UP_TO = 12  # averages over seeds; of more, only those whose seeds are shown have theirs
_MARKS_UP_TO = 160  # evaluations with whiskers; of more, only each run's last has them
_POINT = 3.0  # px, radius of an evaluation's dot
_DODGE = 7.0  # px between evaluations that would lie on each other


class CurveLayer(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph has no types
    """The curves of one plot; see the module."""

    def __init__(self, axis_y: pg.AxisItem) -> None:
        super().__init__()
        self.content: Content | None = None
        self.paint_seconds = 0.0
        self.paints = 0  # how often it was drawn, not counting what Qt took from its cache
        self.keep_inside = False  # a drawing (SVG) has no clipping: lines must not leave the plot by themselves
        self.fine = False  # antialiased at any cost
        self._axis_y = axis_y
        self._lines: list[tuple[QPen, QPolygonF]] = []
        self._bands: list[tuple[QColor, QPolygonF]] = []
        self._lines_for: Any = None
        self._y_bounds: tuple[float, float] | None = None

    def set_content(self, content: Content) -> None:
        """Take new curves."""
        self.content = content
        self._lines_for = None
        self.update()

    def x_bounds(self) -> tuple[float, float] | None:
        """Least and greatest x of all curves."""
        curves = [c for c in (self.content.curves if self.content else []) if len(c.x)]
        if not curves:
            return None
        return min(float(c.x[0]) for c in curves), max(float(c.x[-1]) for c in curves)

    def y_bounds(self) -> tuple[float, float] | None:
        """Least and greatest y among what the present x range shows."""
        self._prepare()
        return self._y_bounds

    # -- pyqtgraph's side

    def boundingRect(self) -> QRectF:
        view = self.getViewBox()
        return QRectF(view.viewRect()) if view is not None and hasattr(view, "viewRect") else QRectF()

    def viewRangeChanged(self, *_: Any) -> None:
        self.prepareGeometryChange()

    viewTransformChanged = viewRangeChanged

    def paint(self, painter: QPainter, *_: Any) -> None:
        if self.content is None or self.getViewBox() is None:
            return
        began = time.perf_counter()
        self.paints += 1
        self._prepare()
        self._grid(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        for fill, area in self._bands:
            painter.setBrush(fill)
            painter.drawPolygon(area)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setRenderHint(
            QPainter.RenderHint.Antialiasing,
            self.fine or len(self._lines) <= _SMOOTH_UP_TO,
        )
        for stroke, line in self._lines:
            painter.setPen(stroke)
            painter.drawPolyline(line)
        if any(curve.low is not None for curve in self.content.curves):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
            self._evaluations(painter)
        if any(len(places) for _, places in self.content.checkpoints):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            self._checkpoints(painter)
        self.paint_seconds = time.perf_counter() - began

    # -- inside

    def _prepare(self) -> None:
        view = self.getViewBox()
        if view is None or self.content is None:
            return
        left, right = view.viewRange()[0]
        wanted = (left, right, view.width(), theme.scheme())
        if wanted == self._lines_for:
            return
        self._lines_for = wanted
        self._lines, self._bands = [], []
        many = sum(curve.band is not None for curve in self.content.curves) > _GROUP_BANDS_UP_TO
        ground = theme.color("plot_background")
        lows, highs = [], []
        # Where many noisy lines overlap, every second pixel column tells as much, at half the cost.
        columns = view.width() * (0.5 if len(self.content.curves) > _SMOOTH_UP_TO and not self.fine else 1.0)
        faint: list[tuple[QPen, QPolygonF]] = []
        for curve in self.content.curves:
            if curve.raw_x is not None and curve.raw_y is not None:
                x, y = decimate(curve.raw_x, curve.raw_y, left, right, columns)
                faint.append((pen(theme.blend(curve.color, ground, 0.25)), polygon(x, y)))
                if len(y):  # the far ends of the raw line may leave the picture: the smoothed line is what is read
                    ordered = np.sort(y)
                    lows.append(float(ordered[round(0.01 * (len(y) - 1))]))
                    highs.append(float(ordered[round(0.99 * (len(y) - 1))]))
            x, y = decimate(curve.x, curve.y, left, right, columns)
            if curve.band is not None and curve.reach is not None:
                if not many or curve.is_open:
                    self._bands.append(_band(curve.x, curve.band, left, right, columns, curve.color))
                start, stop = (int(np.searchsorted(curve.x, end)) for end in (left, right))
                if stop > start:  # an interval of few seeds may be wider than the plot: its seeds decide the range
                    lows.append(float(curve.reach[0][start:stop].min()))
                    highs.append(float(curve.reach[1][start:stop].max()))
            elif len(y):
                lows.append(float((y if curve.low is None else curve.low).min()))
                highs.append(float((y if curve.high is None else curve.high).max()))
            shade = curve.color
            if curve.secondary and curve.low is None:
                shade = theme.blend(curve.color, ground, 0.5)
            self._lines.append((pen(shade, curve.secondary and curve.low is not None), polygon(x, y)))
        self._lines = faint + self._lines
        if self.keep_inside:
            low, high = view.viewRange()[1]
            for line in [*(line for _, line in self._lines), *(area for _, area in self._bands)]:
                points = fn.ndarray_from_qpolygonf(line)
                np.clip(points[:, 1], low, high, out=points[:, 1])
                np.clip(points[:, 0], left, right, out=points[:, 0])
        self._y_bounds = (min(lows), max(highs)) if lows else None

    def _pixel(self) -> tuple[float, float]:
        view = self.getViewBox()
        rect = view.viewRect()
        return rect.width() / max(view.width(), 1), rect.height() / max(view.height(), 1)

    def _grid(self, painter: QPainter) -> None:
        view = self.getViewBox()
        (left, right), (low, high) = view.viewRange()
        painter.setPen(pen(theme.color("grid")))
        lines: list[QLineF] = []
        for _, values in self._axis_y.tickValues(low, high, view.height()):
            lines += [QLineF(left, v, right, v) for v in values if low <= v <= high]
            if len(lines) >= 3:  # finer lines would be noise
                break
        painter.drawLines(lines)

    def _evaluations(self, painter: QPainter) -> None:
        assert self.content is not None
        curves = [c for c in self.content.curves if c.low is not None and len(c.x)]
        if not curves:
            return
        dx, dy = self._pixel()
        ground = theme.color("plot_background")
        if len({c.owner for c in curves}) <= _BANDS_UP_TO:
            painter.setPen(Qt.PenStyle.NoPen)
            for curve in (c for c in curves if len(c.x) > 1):
                fill = QColor(curve.color)
                fill.setAlpha(20 if curve.secondary else 40)
                painter.setBrush(fill)
                painter.drawPolygon(
                    polygon(np.r_[curve.x, curve.x[::-1]], np.r_[curve.low, curve.high[::-1]])  # type: ignore[index]
                )
        every = sum(len(c.x) for c in curves) <= _MARKS_UP_TO
        wing = 3 * dx
        for curve, shift in zip(curves, _dodged(curves, dx), strict=True):
            low, high = curve.low, curve.high
            assert low is not None and high is not None
            shown = range(len(curve.x)) if every else [len(curve.x) - 1]
            whiskers = []
            for i in shown:
                x = curve.x[i] + shift
                whiskers += [
                    QLineF(x, low[i], x, high[i]),
                    QLineF(x - wing, low[i], x + wing, low[i]),
                    QLineF(x - wing, high[i], x + wing, high[i]),
                ]
            painter.setPen(pen(curve.color, width=1.4))
            painter.drawLines(whiskers)
            painter.setBrush(ground if curve.secondary else curve.color)
            for i in shown:
                painter.drawEllipse(QPointF(curve.x[i] + shift, curve.y[i]), _POINT * dx, _POINT * dy)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _checkpoints(self, painter: QPainter) -> None:
        assert self.content is not None
        _, dy = self._pixel()
        foot = self.getViewBox().viewRange()[1][0]
        ground = theme.color("plot_background")
        for color, places in self.content.checkpoints:
            painter.setPen(pen(theme.blend(color, ground, 0.6)))
            painter.drawLines([QLineF(x, foot, x, foot + 5 * dy) for x in places])


def _band(
    x: np.ndarray, band: tuple[np.ndarray, np.ndarray], left: float, right: float, columns: float, color: QColor
) -> tuple[QColor, QPolygonF]:
    """The area of an interval, with what fills it."""
    (below_x, below), (above_x, above) = (decimate(x, end, left, right, columns / 4) for end in band)
    fill = QColor(color)
    fill.setAlpha(40)
    return fill, polygon(np.r_[below_x, above_x[::-1]], np.r_[below, above[::-1]])


def _dodged(curves: list[Curve], dx: float) -> list[float]:
    """How far each curve's dots move aside: runs that end at the same step would hide each other's intervals."""
    if any(len(c.x) > 1 for c in curves):
        return [0.0] * len(curves)
    groups: dict[int, list[Path | str | None]] = {}
    places = [round(float(c.x[-1]) / max(4 * dx, 1e-12)) for c in curves]
    for place, curve in zip(places, curves, strict=True):
        runs = groups.setdefault(place, [])
        if curve.owner not in runs:
            runs.append(curve.owner)
    # The plot's right edge is near, where final evaluations are; so they spread to the left.
    return [
        (groups[place].index(curve.owner) - len(groups[place]) + 1) * _DODGE * dx
        for place, curve in zip(places, curves, strict=True)
    ]
