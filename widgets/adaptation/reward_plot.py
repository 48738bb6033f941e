"""The reward so far over the steps of an episode, after each number of shots: for tasks whose goal is no place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication

from widgets.adaptation.palette import shot_color, span
from widgets.curves.axis import PlotAxis
from widgets.features.legend_plot import LegendPlot
from widgets.style import theme

if TYPE_CHECKING:
    from studio.run.adaptation import Adaptation


class RewardPlot(LegendPlot):
    """One line for each number of shots, of one episode."""

    def __init__(self) -> None:
        self._found: Adaptation | None = None
        view = pg.PlotWidget(axisItems={"bottom": PlotAxis("bottom"), "left": PlotAxis("left")})
        super().__init__(view, QCoreApplication.translate("RewardPlot", "Reward so far, over steps"), wraps=True)
        view.getPlotItem().setContentsMargins(0, 4, 10, 0)

    def set_adaptation(self, found: Adaptation | None) -> None:
        """Show an adaptation's episodes; None: nothing."""
        self._found = found
        self._draw()

    def _draw(self) -> None:
        self.view.clear()
        after = self._found.after if self._found is not None else ()
        for place, one in enumerate(after):
            rewards = np.cumsum(one.trajectory.rewards)
            pen = pg.mkPen(shot_color(place, len(after)), width=2)
            self.view.addItem(pg.PlotDataItem(np.arange(1, len(rewards) + 1), rewards, pen=pen))
        shots = [span(shot_color(i, len(after)), "▬", str(one.shots)) for i, one in enumerate(after)]
        self.legend.setText("&nbsp; ".join([self.tr("Reward so far, after shots:"), *shots]))

    def _restyle(self) -> None:
        for side in ("left", "bottom"):
            self.view.getAxis(side).restyle(self.font())
        self.view.getAxis("left").setWidth(44)
        super()._restyle()
        self.view.setBackground(theme.color("plot_background"))
