"""The features of one checkpoint as points on the plane: a mark for each domain, colors by domain, robot or choice."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QColor

from widgets.features.legend_plot import LegendPlot
from widgets.style import theme

if TYPE_CHECKING:
    from studio.analysis.feature_projection import CheckpointFeatures, FeatureProjection

MARKS = (("o", "●"), ("t1", "▲"), ("s", "■"), ("d", "◆"), ("star", "★"))  # pyqtgraph's, and the legend's
SIZE = 5  # px of a mark
MARGIN = 1.08  # of the plane beside the outermost points
NAMED = 6  # domains or choices that the legend names


class FeatureScatter(LegendPlot):
    """Its axes stay as they are over the checkpoints of a run: nothing moves but the points."""

    def __init__(self) -> None:
        self._found: FeatureProjection | None = None
        self._names: Sequence[str] = ()
        self._shown: CheckpointFeatures | None = None
        self._by = "domain"
        super().__init__(pg.PlotWidget(), QCoreApplication.translate("FeatureScatter", "Projected features"))
        self.view.getPlotItem().getViewBox().setAspectLocked(True)
        for side in ("left", "bottom"):  # a feature has no unit
            self.view.hideAxis(side)

    def set_projection(self, found: FeatureProjection, names: Sequence[str]) -> None:
        """Take a run's features; ``names`` of its domains, for the legend. Fixes the axes."""
        self._found, self._names = found, names
        points = np.concatenate([one.points for one in found.checkpoints])
        (left, bottom), (right, top) = points.min(0), points.max(0)
        middle, half = ((left + right) / 2, (bottom + top) / 2), (right - left, top - bottom)
        x, y = (np.array([-0.5, 0.5]) * side * MARGIN + at for side, at in zip(half, middle, strict=True))
        self.view.setRange(xRange=tuple(x), yRange=tuple(y), padding=0)
        words = self.tr(
            "The two directions in which the features of all checkpoints vary most: {0} of the variance to the right, "
            "{1} upward"
        )
        self.view.setToolTip(words.format(*(f"{share:.0%}" for share in found.explained)))

    def show_checkpoint(self, checkpoint: CheckpointFeatures) -> None:
        """Draw a checkpoint's points."""
        self._shown = checkpoint
        self._draw()

    def color_by(self, key: str) -> None:
        """Color by ``domain``, ``robot`` or ``class``."""
        self._by = key
        self._draw()

    def _draw(self) -> None:
        self.view.clear()
        found, shown = self._found, self._shown
        if found is None or shown is None:
            return
        groups, names = self._groups(found)
        ground = theme.color("plot_background")
        order = np.random.default_rng(0).permutation(len(groups))  # no domain lies over all others
        brushes = [pg.mkBrush(theme.blend(self._hue(group, len(names)), ground, 0.75)) for group in range(len(names))]
        self.view.addItem(
            pg.ScatterPlotItem(
                shown.points[order, 0],
                shown.points[order, 1],
                size=SIZE,
                pen=None,
                symbol=[MARKS[d % len(MARKS)][0] for d in found.domain[order]],
                brush=[brushes[group] for group in groups[order]],
            )
        )
        self.legend.setText(self._legend(names))
        self.legend.setToolTip(", ".join(names))

    def _groups(self, found: FeatureProjection) -> tuple[np.ndarray, list[str]]:
        """Return which color each frame has, (frames,), and the names of the colors."""
        if self._by == "class" and found.classes is not None:
            known, groups = np.unique(found.classes, return_inverse=True)
            return groups, [str(choice) for choice in known]
        if self._by == "robot":
            robots = list(dict.fromkeys(found.embodiments))
            return np.array([robots.index(robot) for robot in found.embodiments])[found.domain], robots
        return found.domain, list(self._names)

    def _legend(self, names: Sequence[str]) -> str:
        """Return the colors with their names, and where they are no domains, the marks of those too."""

        def colored(place: int, mark: str, name: str) -> str:
            return f"<span style='color:{self._hue(place, len(names)).name()}'>{mark}</span> {escape(name)}"

        by_domain = self._by == "domain"
        marks = [MARKS[place % len(MARKS)][1] if by_domain else "■" for place in range(len(names))]
        parts = [colored(place, marks[place], name) for place, name in enumerate(names)]
        if by_domain and len(parts) > NAMED:
            parts = [*parts[:NAMED], self.tr("and {0} more").format(len(parts) - NAMED)]
        if not by_domain:
            if len(parts) > NAMED:
                parts = [parts[0], "…", parts[-1]]
            shapes = [f"{mark} {escape(name)}" for (_, mark), name in zip(MARKS, self._names, strict=False)]
            parts = [*shapes, *parts]
        return "&nbsp;&nbsp; ".join(parts)

    def _hue(self, place: int, count: int) -> QColor:
        """Return a color; of more than the palette has, one on the scale from dark to bright."""
        return theme.series(place) if count <= 7 else theme.sequential(place / (count - 1))
