"""Numbers and names as the plots write them, and the axes that carry them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QPainter

from widgets.curves.content import EVALUATION, LOAD, LOSS, MEMORY, SUCCESS, TRIAL_RETURN
from widgets.curves.curve import Curve
from widgets.curves.groups import group_name, is_group
from widgets.curves.tasks import metric_of, task_of
from widgets.style import theme

_ROUNDING = 1e-12  # of a value: some thousand sums of doubles


def metric_name(key: str) -> str:
    """Return the name of a plot's metric in words, with its task where it shows that alone."""
    metric, task = metric_of(key), task_of(key)
    known = {
        LOSS: QCoreApplication.translate("CurvePlot", "Loss"),
        SUCCESS: QCoreApplication.translate("CurvePlot", "Success"),
        f"{EVALUATION}return": QCoreApplication.translate("CurvePlot", "Evaluated return"),
        TRIAL_RETURN: QCoreApplication.translate("CurvePlot", "Return of a trial"),
        LOAD: QCoreApplication.translate("CurvePlot", "Load"),
        MEMORY: QCoreApplication.translate("CurvePlot", "Memory"),
    }
    name = group_name(metric) if is_group(metric) else known.get(metric) or metric.replace("_", " ").capitalize()
    return name if task is None else f"{name} · {task.replace('_', ' ')}"


def stage_name(stage: str) -> str:
    """A stage in words."""
    return {
        "pretrain": QCoreApplication.translate("CurvePlot", "pretrain"),
        "adapt": QCoreApplication.translate("CurvePlot", "adapt"),
    }.get(stage, stage)


def kind_name(kind: str) -> str:
    """A line's kind in words."""
    known = {
        "target": QCoreApplication.translate("CurvePlot", "target"),
        "source": QCoreApplication.translate("CurvePlot", "source"),
    }
    return {**known, "process": QCoreApplication.translate("CurvePlot", "process")}.get(kind, kind)


def mark_of(curve: Curve) -> str:
    """The sign of a line: a dot for evaluations, a bar for lines."""
    return "▬" if curve.low is None else "○" if curve.secondary else "●"


def number(value: float) -> str:
    """A value for reading: three significant digits, no exponent where none is needed."""
    if not math.isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return f"{value:.2e}"


def span(low: float, high: float) -> float:
    """The length of a range of values; 0 where it is no more than their rounding."""
    return high - low if high - low > _ROUNDING * max(abs(low), abs(high)) else 0.0


def clock(seconds: float) -> str:
    """A duration for reading: 12 s, 3:05, 1:02:00."""
    whole = round(seconds)
    if abs(whole) < 100:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, whole = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes}:{whole:02d}"


_LABEL_PX = 44.0  # from label to label
_ROOM = QRectF(0, 0, 100, 100)  # any rectangle a label fits into, to measure it
_KNOWN = 400  # labels whose size is remembered
_TIMES = (2, 5, 10, 15, 20, 30, 40, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)  # s


class PlotAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """Quiet tick labels: thousands as k, seconds as a clock. Below or at the left; no tick lines are drawn."""

    time = False
    _ticks: tuple[Any, Any] = (None, None)  # the last answer of tickValues, and what it was asked

    def tickValues(self, minVal: float, maxVal: float, size: float) -> Any:
        """Return pyqtgraph's ticks, cached: the grid reads them at every drawing."""
        asked = (minVal, maxVal, size, self.logMode, self.time)
        if self._ticks[0] != asked:
            self._ticks = (asked, super().tickValues(minVal, maxVal, size))
        return self._ticks[1]

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self._sizes: dict[tuple[str, str], tuple[float, float]] = {}

    def restyle(self, font: QFont) -> None:
        """Take the colors of the present scheme, and a small font after a widget's own."""
        self.setPen(pg.mkPen(theme.color("border")))
        self.setTextPen(pg.mkPen(theme.color("muted")))
        self.setStyle(tickFont=theme.small_font(font))

    def set_time(self, on: bool) -> None:
        """Whether the values are seconds."""
        if on != self.time:
            self.time = on
            self.picture = None  # its labels
            self.update()

    def generateDrawSpecs(self, p: QPainter) -> Any:
        """Draw axis line and labels, no ticks; pyqtgraph's makes several hundred calls for a dozen labels."""
        bounds: QRectF = self.mapRectFromParent(self.geometry())
        left = self.orientation == "left"
        length = bounds.height() if left else bounds.width()
        (low, high), font = self.range, self.style["tickFont"]
        if length <= 0 or low == high:
            return None
        if font is not None:
            p.setFont(font)
        if left:
            x = bounds.right() - 1
            line = (self.pen(), QPointF(x, bounds.top() - 1), QPointF(x, bounds.bottom() + 1))
        else:
            y = bounds.top() - 1
            line = (self.pen(), QPointF(bounds.left() - 1, y), QPointF(bounds.right() + 1, y))
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if not left:
            flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        flags_text = flags | Qt.TextFlag.TextDontClip
        offset, inside = self.style["tickTextOffset"][0 if left else 1], self.boundingRect()
        texts: list[tuple[QRectF, Any, str]] = []
        filled = breadth = 0.0
        for level, (values, strings) in enumerate(self.levels(low, high, length)):
            labels = []
            for value, string in zip(values, strings, strict=True):
                if low <= value <= high and string:
                    width, height = self._size(p, string, font)
                    filled += height if left else width
                    breadth = max(breadth, width if left else height)
                    labels.append((length * (value - low) / (high - low), width, height, string))
            full = any(len(texts) >= n and filled / length >= limit for n, limit in self.style["textFillLimits"])
            if level and full:  # finer labels would crowd
                break
            for place, width, height, string in labels:
                if left:
                    rect = QRectF(bounds.right() - offset - width, bounds.bottom() - place - height / 2, width, height)
                else:
                    rect = QRectF(bounds.left() + place - width / 2, bounds.top() + offset, width, height)
                if inside & rect == rect:
                    texts.append((rect, flags_text, string))
        self._updateMaxTextSize(breadth)
        return line, [], texts

    def levels(self, low: float, high: float, length: float) -> list[tuple[list[float], list[str]]]:
        """Return values and their labels, the coarsest first."""
        if self._tickLevels is not None:
            return [([v for v, _ in level], [text for _, text in level]) for level in self._tickLevels]
        levels = self.tickValues(low, high, length)[: self.style["maxTextLevel"] + 1]
        return [(values, self.tickStrings(values, self.scale, spacing)) for spacing, values in levels]

    def _size(self, p: QPainter, text: str, font: Any) -> tuple[float, float]:
        key = (text, font.key() if font is not None else "")
        if key not in self._sizes:
            if len(self._sizes) > _KNOWN:
                self._sizes.clear()
            box = p.boundingRect(_ROOM, int(Qt.AlignmentFlag.AlignCenter), text)
            self._sizes[key] = (box.width(), box.height() * 0.8)  # a little less than the font's line
        return self._sizes[key]

    def logTickValues(self, minVal: float, maxVal: float, size: float, stdTicks: Any) -> Any:
        """Return powers of ten, with 2 and 5 between them where there is room."""
        decades = np.arange(math.floor(minVal), math.ceil(maxVal) + 1.0)
        room = size / max(maxVal - minVal, 1e-9)  # px of a decade
        if room < 12:
            decades = decades[:: math.ceil(12 / room)]
        between = [d + math.log10(m) for d in decades for m in (2, 5)] if room > 60 else []
        return [(1.0, [v for v in (*decades, *between) if minVal <= v <= maxVal])]

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> Any:
        """Below: one row of labels that never touch, at round numbers or round times."""
        if self.orientation != "bottom":
            return super().tickSpacing(minVal, maxVal, size)
        least = (maxVal - minVal) * _LABEL_PX / max(size, 1.0)
        if self.time and least > 1:
            step = float(next((s for s in _TIMES if s >= least), math.ceil(least / 3600) * 3600))
        else:
            power = 10.0 ** math.floor(math.log10(max(least, 1e-12)))
            step = next(m * power for m in (1, 2, 4, 5, 10) if m * power >= least * 0.999)
        return [(step, 0)]

    def tickStrings(self, values: Any, scale: float, spacing: float) -> list[str]:
        if self.time:
            return [f"{v:g} s" if spacing < 1 else clock(v) for v in values]
        if self.logMode:
            return [f"{10.0**v:g}" for v in values]
        if spacing >= 1000 and max((abs(v) for v in values), default=0) >= 10_000:
            return [f"{v / 1000:g}k" for v in values]
        return [f"{v:.{max(0, -math.floor(math.log10(spacing) + 1e-9))}f}" for v in values]
