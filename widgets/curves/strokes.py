"""What plots are drawn with: curves reduced to the pixel columns, polylines from arrays, pens that are pixels wide."""

from __future__ import annotations

import numpy as np
from pyqtgraph import functions as fn
from PySide6.QtGui import QColor, QPen, QPolygonF


def decimate(x: np.ndarray, y: np.ndarray, left: float, right: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """The part of a curve between ``left`` and ``right``, at most two points for each of ``width`` pixel columns.

    Peaks survive. Bins are counted from the curve's start, so that they don't shimmer while the view moves.
    """
    start = max(0, int(np.searchsorted(x, left)) - 1)
    stop = min(len(x), int(np.searchsorted(x, right, side="right")) + 1)
    size = int((stop - start) // max(width, 1.0))
    if size < 3:
        return x[start:stop], y[start:stop]
    start = start // size * size
    stop = min(len(x), -(-stop // size) * size)
    edges = np.arange(start, stop, size)
    low, high = np.minimum.reduceat(y[:stop], edges), np.maximum.reduceat(y[:stop], edges)
    reduced = np.empty(2 * len(edges))
    # Down in one column and up in the next: half the strokes of a line that always returns.
    reduced[0::4], reduced[1::4] = low[0::2], high[0::2]
    reduced[2::4], reduced[3::4] = high[1::2], low[1::2]
    return np.repeat(x[edges], 2), reduced


def polygon(x: np.ndarray, y: np.ndarray) -> QPolygonF:
    """A polyline from two arrays."""
    made = fn.create_qpolygonf(len(x))
    if len(x):
        view = fn.ndarray_from_qpolygonf(made)
        view[:, 0], view[:, 1] = x, y
    return made


def pen(color: QColor, dashed: bool = False, width: float = 1.0) -> QPen:
    """A pen whose width is in pixels."""
    made = QPen(color, width)
    made.setCosmetic(True)
    if dashed:
        made.setDashPattern([4.0, 3.0])
    return made
