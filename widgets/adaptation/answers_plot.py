"""Answers of a task whose episode is a single step, as places: what the policy says after each number of shots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication

from widgets.adaptation.palette import shot_color, span
from widgets.features.legend_plot import LegendPlot
from widgets.style import theme

if TYPE_CHECKING:
    from studio.run.adaptation import Adaptation

MARGIN = 1.08  # of the plot beside its outermost points


class AnswersPlot(LegendPlot):
    """The answers lie where the robot came to; the task's own marks are what is right."""

    def __init__(self) -> None:
        self._found: Adaptation | None = None
        super().__init__(
            pg.PlotWidget(), QCoreApplication.translate("AnswersPlot", "Answers and what is right"), wraps=True
        )
        for side in ("left", "bottom"):
            self.view.hideAxis(side)
        self.view.setToolTip(
            self.tr("Answers to many questions, each after the same shots of the task; gray: what is right")
        )

    def set_adaptation(self, found: Adaptation | None) -> None:
        """Show the answers of an adaptation; None: nothing."""
        self._found = found
        self._draw()

    def _draw(self) -> None:
        self.view.clear()
        after = self._found.after if self._found is not None else ()
        if not after:
            self.legend.setText("")
            return
        right = after[0].trajectory.mocap[0][:, :2]
        faint = theme.blend(theme.color("muted"), theme.color("plot_background"), 0.45)
        self.view.addItem(pg.ScatterPlotItem(*right.T, size=6, pen=None, brush=faint))
        for place, one in enumerate(after):
            hue = shot_color(place, len(after))
            self.view.addItem(pg.ScatterPlotItem(*one.ends[:, :2].T, size=6, pen=None, brush=hue))
        points = np.concatenate([right, *(one.ends[:, :2] for one in after)])
        half, middle = MARGIN * np.ptp(points, 0) / 2 + 1e-9, (points.max(0) + points.min(0)) / 2
        x, y = ((at - side, at + side) for at, side in zip(middle.tolist(), half.tolist(), strict=True))
        self.view.setRange(xRange=x, yRange=y, padding=0)
        shots = [span(shot_color(i, len(after)), "●", str(one.shots)) for i, one in enumerate(after)]
        self.legend.setText("&nbsp; ".join([span(faint, "●", self.tr("right")), self.tr("after shots:"), *shots]))
