"""The reward so far over the steps of an episode, after each number of shots: for tasks whose goal is no place."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication

from widgets.adaptation.episodes_plot import EpisodesPlot
from widgets.adaptation.palette import shot_color
from widgets.curves.axis import PlotAxis
from widgets.style import theme


class RewardPlot(EpisodesPlot):
    """One line for each number of shots, of one episode."""

    def __init__(self) -> None:
        view = pg.PlotWidget(axisItems={"bottom": PlotAxis("bottom"), "left": PlotAxis("left")})
        super().__init__(view, QCoreApplication.translate("RewardPlot", "Reward so far, over steps"))
        view.getPlotItem().setContentsMargins(0, 4, 10, 0)

    def _draw(self) -> None:
        self.view.clear()
        for place, one in enumerate(self.after):
            rewards = np.cumsum(one.trajectory.rewards)
            pen = pg.mkPen(shot_color(place, len(self.after)), width=2)
            self.view.addItem(pg.PlotDataItem(np.arange(1, len(rewards) + 1), rewards, pen=pen))
        self.legend.setText("&nbsp; ".join([self.tr("Reward so far, after shots:"), *self._shot_names()]))

    def _restyle(self) -> None:
        for side in ("left", "bottom"):
            self.view.getAxis(side).restyle(self.font())
        self.view.getAxis("left").setWidth(44)
        super()._restyle()
        self.view.setBackground(theme.color("plot_background"))
