"""The curve that a policy fits to the points of a regression task, after each number of shots, and the true one."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication

from widgets.adaptation.episodes_plot import EpisodesPlot
from widgets.adaptation.palette import shot_color, span
from widgets.style import theme

MARGIN = 1.08  # of the plot beside its outermost points


class FitPlot(EpisodesPlot):
    """x and y are places in the scene: the task's marks lie on the true curve, and every episode ends at an answer."""

    def __init__(self) -> None:
        super().__init__(pg.PlotWidget(), QCoreApplication.translate("FitPlot", "Fitted curves and the true one"))
        for side in ("left", "bottom"):
            self.view.hideAxis(side)
        self.view.setToolTip(
            self.tr("What the policy answers for each x after so many shots, against the true curve (gray)")
        )

    def _draw(self) -> None:
        self.view.clear()
        after = self.after
        if not after:
            self.legend.setText("")
            return
        true = after[0].trajectory.mocap[0][:, :2]
        support = after[-1].support[:, :2]
        faint = theme.blend(theme.color("muted"), theme.color("plot_background"), 0.45)
        self._add_curve(true, pg.mkPen(faint, width=5))
        for place, one in enumerate(after):
            self._add_curve(one.ends[:, :2], pg.mkPen(shot_color(place, len(after)), width=2))
        parts = [span(faint, "▬", self.tr("true"))]
        if len(support):
            outline, inside = pg.mkPen(theme.color("text"), width=1.5), theme.color("plot_background")
            self.view.addItem(pg.ScatterPlotItem(*support.T, size=9, pen=outline, brush=inside))
            parts.append(span(theme.color("text"), "○", self.tr("support")))
        points = np.concatenate([true, support, *(one.ends[:, :2] for one in after)])
        half, middle = MARGIN * np.ptp(points, 0) / 2 + 1e-9, (points.max(0) + points.min(0)) / 2
        x, y = ((at - side, at + side) for at, side in zip(middle.tolist(), half.tolist(), strict=True))
        self.view.setRange(xRange=x, yRange=y, padding=0)
        self.legend.setText("&nbsp; ".join([*parts, self.tr("after shots:"), *self._shot_names()]))

    def _add_curve(self, places: np.ndarray, pen: pg.mkPen) -> None:
        ordered = places[places[:, 0].argsort()]
        self.view.addItem(pg.PlotDataItem(*ordered.T, pen=pen, antialias=True))
