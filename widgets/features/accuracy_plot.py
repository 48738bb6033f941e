"""How well the domains are told apart over a training: the probe at each checkpoint, the strategy's own classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, Qt, Signal

from widgets.curves.axis import PlotAxis
from widgets.features.legend_plot import LegendPlot
from widgets.style import theme

if TYPE_CHECKING:
    from studio.analysis.feature_projection import FeatureProjection

ROOM = 0.04  # above 1 and below the least
SMOOTHED = 0.05  # of the classifier's points lie within a running mean


class AccuracyPlot(LegendPlot):
    """A click chooses the nearest checkpoint."""

    chosen = Signal(int)  # a checkpoint's place among them

    def __init__(self) -> None:
        self._found: FeatureProjection | None = None
        self._place = 0
        view = pg.PlotWidget(axisItems={"bottom": PlotAxis("bottom"), "left": PlotAxis("left")})
        super().__init__(view, QCoreApplication.translate("AccuracyPlot", "Accuracy of naming the domain, over steps"))
        view.getPlotItem().setContentsMargins(0, 4, 10, 0)
        view.scene().sigMouseClicked.connect(self._click)

    def set_projection(self, found: FeatureProjection) -> None:
        """Take a run's accuracies."""
        self._found, self._place = found, min(self._place, len(found.checkpoints) - 1)
        self._draw()

    def mark(self, place: int) -> None:
        """Mark the checkpoint that is shown."""
        self._place = place
        self._draw()

    def _draw(self) -> None:
        self.view.clear()
        found = self._found
        if found is None:
            return
        probe, own = theme.series(0), theme.series(1)
        steps = np.array([one.step for one in found.checkpoints], float)
        values, low, high = np.array([(one.probe, one.low, one.high) for one in found.checkpoints]).T
        dashed = pg.mkPen(theme.color("muted"), width=1, style=Qt.PenStyle.DashLine)
        self.view.addItem(pg.InfiniteLine(found.chance, angle=0, pen=dashed))
        self.view.addItem(pg.InfiniteLine(steps[self._place], pen=pg.mkPen(theme.color("accent"), width=1)))
        lowest = [found.chance, np.nanmin([*values, *low])]
        if found.classifier is not None:
            at, accuracy = found.classifier
            smooth = running_mean(accuracy, max(1, round(SMOOTHED * len(accuracy))))
            pen = pg.mkPen(theme.blend(own, theme.color("plot_background"), 0.35), width=1)
            self.view.addItem(pg.PlotDataItem(at, accuracy, pen=pen))
            self.view.addItem(pg.PlotDataItem(at, smooth, pen=pg.mkPen(own, width=2)))
            lowest.append(float(accuracy.min()))
        known = np.isfinite(low)
        bars = pg.ErrorBarItem(
            x=steps[known],
            y=values[known],
            top=(high - values)[known],
            bottom=(values - low)[known],
            beam=0,
            pen=pg.mkPen(probe, width=1),
        )
        self.view.addItem(bars)
        self.view.addItem(
            pg.PlotDataItem(
                steps, values, pen=pg.mkPen(probe, width=1), symbol="o", symbolSize=6, symbolBrush=probe, symbolPen=None
            )
        )
        last = max(steps[-1], float(found.classifier[0][-1]) if found.classifier is not None else 0.0)
        self.view.setXRange(0, max(last, 1.0), padding=0.03)
        self.view.setYRange(max(0.0, min(lowest) - ROOM), 1 + ROOM, padding=0)
        parts = [f"<span style='color:{probe.name()}'>●</span> {self.tr('linear probe')}"]
        if found.classifier is not None:
            parts.append(f"<span style='color:{own.name()}'>▬</span> {self.tr('own classifier')}")
        parts.append(f"┄ {self.tr('aligned: {0}').format(f'{found.chance:.2g}')}")
        self.legend.setText("&nbsp;&nbsp; ".join(parts))
        self.legend.setToolTip(
            self.tr(
                "How often a frame's domain is named rightly, the mean over the domains. The probe is a new linear "
                "classifier, fitted on every other episode and scored on the rest, with its 95% interval over "
                "episodes; the strategy's own classifier is the one that its features learn against."
            )
        )

    def _click(self, event: Any) -> None:
        if self._found is None:
            return
        x = self.view.getPlotItem().getViewBox().mapSceneToView(event.scenePos()).x()
        self.chosen.emit(int(np.argmin([abs(one.step - x) for one in self._found.checkpoints])))

    def _restyle(self) -> None:
        for side in ("left", "bottom"):
            self.view.getAxis(side).restyle(self.font())
        self.view.getAxis("left").setWidth(40)
        super()._restyle()


def running_mean(values: np.ndarray, count: int) -> np.ndarray:
    """Return the mean of each value with those around it, ``count`` in all and fewer at the ends, (n,)."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, last = np.maximum(places - count // 2, 0), np.minimum(places + (count + 1) // 2, len(values))
    return (sums[last] - sums[first]) / (last - first)
