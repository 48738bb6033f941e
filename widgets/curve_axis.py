"""Numbers and names as the plots write them, and the axes that carry them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication

from widgets.curve_content import LOAD, LOSS, MEMORY, SUCCESS, Curve


def metric_name(metric: str) -> str:
    """A metric's name in words."""
    known = {
        LOSS: QCoreApplication.translate("CurvePlot", "Loss"),
        SUCCESS: QCoreApplication.translate("CurvePlot", "Success"),
        LOAD: QCoreApplication.translate("CurvePlot", "Load"),
        MEMORY: QCoreApplication.translate("CurvePlot", "Memory"),
    }
    return known.get(metric) or metric.replace("_", " ").capitalize()


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


def clock(seconds: float) -> str:
    """A duration for reading: 12 s, 3:05, 1:02:00."""
    whole = round(seconds)
    if abs(whole) < 100:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, whole = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes}:{whole:02d}"


_LABEL_PX = 44.0  # from label to label
_TIMES = (2, 5, 10, 15, 20, 30, 40, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)  # s


class PlotAxis(pg.AxisItem):  # type: ignore[misc]
    """Quiet tick labels: thousands as k, seconds as a clock."""

    time = False

    def logTickValues(self, minVal: float, maxVal: float, size: float, stdTicks: Any) -> Any:
        """Powers of ten, with 2 and 5 between them where there is room."""
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
