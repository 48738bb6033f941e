"""One small plot: an outcome against one randomized parameter, a point for each episode and binned means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout

from widgets.curves.axis import PlotAxis
from widgets.curves.plot_menu import adopt_menu
from widgets.randomization.quantities import readable
from widgets.style import theme

HEIGHT = 128  # of a plot, px
POINTS = 1_000  # of a run that are drawn
JITTER = 0.06  # of successes, so that points do not lie on one line


class EffectPlot(QFrame):
    """One parameter's plot: a point for each episode, and binned means with their intervals."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.RichText)
        self.title.setWordWrap(True)  # it has a number for each run
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.view = pg.PlotWidget(axisItems={"bottom": PlotAxis("bottom"), "left": PlotAxis("left")})
        adopt_menu(self.view)
        self.view.setFixedHeight(HEIGHT)
        self.view.setMenuEnabled(False)
        self.view.setMouseEnabled(False, False)
        self.view.hideButtons()
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.getPlotItem().setContentsMargins(0, 4, 10, 0)
        self.view.viewport().setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)  # the wheel scrolls the list
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, theme.SMALL)
        layout.setSpacing(0)
        layout.addWidget(self.title)
        layout.addWidget(self.view)
        self._runs: list[tuple[int, Any, bool]] = []
        self._restyle()
        theme.on_change(self, self._restyle)

    def show_runs(self, runs: Sequence[tuple[int, Any, bool]]) -> None:
        """Take (color, Outcomes, by success) of each run that has the parameter."""
        self._runs = list(runs)
        self._draw()

    def _draw(self) -> None:
        from studio.analysis.effects import binned

        self.view.clear()
        ground, ranks = theme.color("plot_background"), []
        for color, outcomes, by_success in self._runs:
            values = np.asarray(outcomes.values[self.name], float)
            heights = np.asarray(outcomes.success if by_success else outcomes.returns)
            hue = theme.series(color)
            shown = np.flatnonzero(np.isfinite(values))[:POINTS]
            scattered = heights[shown].astype(float)
            if by_success:
                scattered = scattered + np.random.default_rng(0).uniform(-JITTER, JITTER, len(shown))
            faint = pg.mkBrush(theme.blend(hue, ground, 0.4))
            self.view.addItem(pg.ScatterPlotItem(values[shown], scattered, size=4, pen=None, brush=faint))
            bins = binned(values, heights)
            solid = ~np.isnan(bins.low)
            bars = pg.ErrorBarItem(
                x=bins.at[solid],
                y=bins.mean[solid],
                top=(bins.high - bins.mean)[solid],
                bottom=(bins.mean - bins.low)[solid],
                beam=0,
                pen=pg.mkPen(hue, width=1),
            )
            self.view.addItem(bars)
            pen = pg.mkPen(hue, width=1)
            line = pg.PlotDataItem(
                bins.at, bins.mean, pen=pen, symbol="o", symbolSize=6, symbolBrush=hue, symbolPen=None
            )
            self.view.addItem(line)
            ranks.append((color, bins.rank))
        if self._runs and all(by_success for _, _, by_success in self._runs):
            self.view.setYRange(-0.1, 1.1, padding=0)
            self.view.getAxis("left").setTicks([[(v, f"{v:g}") for v in (0.0, 0.5, 1.0)], []])
        else:
            self.view.getAxis("left").setTicks(None)
            self.view.enableAutoRange()
        known = "&nbsp; ".join(
            f"<span style='color:{theme.series(color).name()}'>ρ {_signed(rank)}</span>"
            for color, rank in ranks
            if not math.isnan(rank)
        )
        self.title.setText(f"{readable(self.name)} &nbsp; {known}")
        self.title.setToolTip(self.tr("Spearman's rank correlation ρ between value and outcome, for each run"))

    def _restyle(self) -> None:
        self.view.setBackground(theme.color("plot_background"))
        for side in ("left", "bottom"):
            self.view.getAxis(side).restyle(self.font())
        self.view.getAxis("left").setWidth(40)
        self._draw()


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
