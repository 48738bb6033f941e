"""One line of a plot, and how it is made from a run's numbers or from an average over seeds. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtGui import QColor

from widgets.curves.data import HIGH, LOW, STEP, VALUE, Axis, RunData, Series
from widgets.curves.seed_average import Average


@dataclass(frozen=True)
class Options:
    """How curves are drawn."""

    axis: Axis = "step"
    smoothing: float = 0.0
    log_y: bool = False
    link_x: bool = True


@dataclass
class Curve:
    """One line of a plot. Values are finite, ``x`` ascends; with ``log`` the values are logarithms already.

    The average of a group over its seeds has no run.
    """

    run: Path | None
    label: str  # the run's
    kind: str  # what sets it apart from the run's other lines in the plot: target, source, CPU, GPU, process
    color: QColor
    x: np.ndarray
    y: np.ndarray
    steps: np.ndarray
    unit: str = ""
    secondary: bool = False  # drawn lighter, or dashed
    raw_x: np.ndarray | None = None  # what lies behind the smoothed line
    raw_y: np.ndarray | None = None
    low: np.ndarray | None = None  # an interval: the points are evaluations
    high: np.ndarray | None = None
    log: bool = False
    group: str = ""  # that it averages, or that its run is averaged in
    seeds: int = 0  # of the average; 0: a run
    band: tuple[np.ndarray, np.ndarray] | None = None  # the average's interval at every point
    reach: tuple[np.ndarray, np.ndarray] | None = None  # least and greatest of the seeds
    is_open: bool = False  # the group's seeds are shown too

    @property
    def owner(self) -> Path | str | None:
        """The run, or the group of an average."""
        return self.run or self.group or None

    def at(self, x: float) -> int | None:
        """Index of the point nearest to ``x``; None beyond the ends."""
        if not len(self.x):
            return None
        right = int(np.searchsorted(self.x, x))
        left = max(0, right - 1)
        right = min(right, len(self.x) - 1)
        return left if abs(self.x[left] - x) <= abs(self.x[right] - x) else right

    def value(self, index: int) -> float:
        """The value as it was logged, not its logarithm."""
        return float(10 ** self.y[index] if self.log else self.y[index])


def average_curve(label: str, kind: str, of: Average, color: QColor, log: bool) -> Curve:
    """Return the line of an average over seeds, with its interval and reach."""
    rows = [of.x, of.mean, of.low, of.high, of.least, of.greatest]
    if log:
        good = of.least > 0
        rows = [row if good.all() else row[good] for row in rows]
        rows[2] = np.maximum(rows[2], rows[4] / 10)  # an interval that reaches below zero ends a decade under the least
        rows[1:] = [np.log10(row) for row in rows[1:]]
    x, mean, low, high, least, greatest = rows
    return Curve(None, label, kind, color, x, mean, x, log=log, band=(low, high), reach=(least, greatest))


def line_curve(
    run: RunData, kind: str, series: Series, color: QColor, options: Options, secondary: bool, raw: bool
) -> Curve:
    """Return a run's line, smoothed as the options say; ``raw``: with the unsmoothed numbers behind it."""
    x, y, log = series.x(options.axis), series.smoothed(options.axis, options.smoothing), options.log_y
    steps = series.column(STEP)
    curve = Curve(run.folder, run.label, kind, color, *_clean(x, y, log), _kept(steps, y, log), series.unit, secondary)
    curve.log = log
    if raw and options.smoothing > 0:
        curve.raw_x, curve.raw_y = _clean(x, series.column(VALUE), log)
    return curve


def score_curve(run: RunData, domain: str, series: Series, color: QColor, axis: Axis) -> Curve:
    """Return a run's evaluations in a domain, with their intervals."""
    x, y = series.x(axis), series.column(VALUE)
    curve = Curve(
        run.folder, run.label, domain, color, *_clean(x, y, False), _kept(series.column(STEP), y, False), "", False
    )
    curve.secondary = domain == "source"
    low, high = series.column(LOW), series.column(HIGH)
    curve.low = _kept(np.where(np.isfinite(low), low, y), y, False)
    curve.high = _kept(np.where(np.isfinite(high), high, y), y, False)
    return curve


def _keep(y: np.ndarray, log: bool) -> np.ndarray | None:
    good = np.isfinite(y) & (y > 0) if log else np.isfinite(y)
    return None if good.all() else good


def _kept(values: np.ndarray, y: np.ndarray, log: bool) -> np.ndarray:
    good = _keep(y, log)
    return values if good is None else values[good]


def _clean(x: np.ndarray, y: np.ndarray, log: bool) -> tuple[np.ndarray, np.ndarray]:
    good = _keep(y, log)
    if good is not None:
        x, y = x[good], y[good]
    return x, np.log10(y) if log else y
