"""A robot's motion against the simulation's, before and after identification: the coordinates that differ most."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from widgets.curves.plot_menu import adopt_menu
from widgets.identification.job import Outcome
from widgets.style import theme

SHOWN = 3  # coordinates
HEIGHT = 92  # px of a plot


class MotionPlots(QWidget):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self._outcome: Outcome | None = None
        self.recording = QComboBox()
        self.recording.setAccessibleName(self.tr("Recording"))
        self.recording.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.recording.currentIndexChanged.connect(lambda _: self._draw())
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setFont(theme.small_font())
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 0, 0)
        head.addWidget(self.legend, 1)
        head.addWidget(self.recording)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addLayout(head)
        self.plots: list[pg.PlotWidget] = []
        self.curves: list[dict[str, pg.PlotDataItem]] = []
        self._names: list[QLabel] = []
        for _ in range(SHOWN):
            name, plot = QLabel(), pg.PlotWidget()
            adopt_menu(plot)
            name.setFont(theme.small_font())
            plot.setFixedHeight(HEIGHT)
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.setMouseEnabled(x=False, y=False)
            plot.getPlotItem().getAxis("left").setWidth(44)
            plot.getPlotItem().setContentsMargins(0, 4, 8, 0)
            column.addWidget(name)
            column.addWidget(plot)
            self._names.append(name)
            self.plots.append(plot)
            self.curves.append({key: plot.plot(skipFiniteCheck=True) for key in ("before", "real", "after")})
        self._restyle()
        theme.on_change(self, self._restyle)

    def show_outcome(self, outcome: Outcome) -> None:
        """Take an identification's curves."""
        self._outcome = outcome
        self.recording.blockSignals(True)
        self.recording.clear()
        self.recording.addItems([self.tr("No. {0}").format(i + 1) for i in range(len(outcome.recordings))])
        self.recording.blockSignals(False)
        self.recording.setVisible(len(outcome.recordings) > 1)
        self._draw()

    def _draw(self) -> None:
        outcome, row = self._outcome, max(self.recording.currentIndex(), 0)
        if outcome is None:
            return
        real = outcome.recordings.qpos[row]
        apart = np.sqrt(np.mean((outcome.before[row] - real) ** 2, 0))
        chosen = np.sort(np.argsort(-apart)[:SHOWN])
        time = np.arange(len(real)) * outcome.recordings.dt
        for place, (plot, curves, name) in enumerate(zip(self.plots, self.curves, self._names, strict=True)):
            there = place < len(chosen)
            plot.setVisible(there)
            name.setVisible(there)
            if not there:
                continue
            column = int(chosen[place])
            name.setText(self.tr("{0} (rad or m, over seconds)").format(outcome.names[column]))
            for key, values in (("real", real), ("before", outcome.before[row]), ("after", outcome.after[row])):
                curves[key].setData(time, np.ascontiguousarray(values[:, column]))

    def _restyle(self) -> None:
        colors = {"real": theme.color("text"), "before": theme.series(1), "after": theme.series(0)}
        words = {
            "real": self.tr("robot"),
            "before": self.tr("simulation before,"),
            "after": self.tr("after"),
        }
        parts = [f'<span style="color:{colors[k].name()}">▬</span> {words[k]}' for k in ("real", "before", "after")]
        self.legend.setText("&nbsp;&nbsp; ".join(parts))
        for plot, curves, name in zip(self.plots, self.curves, self._names, strict=True):
            plot.setBackground(theme.color("plot_background"))
            name.setStyleSheet(f"color: {theme.color('muted').name()};")
            for key, curve in curves.items():
                style = Qt.PenStyle.DashLine if key == "after" else Qt.PenStyle.SolidLine
                curve.setPen(pg.mkPen(colors[key], width=1, style=style))
            for side in ("left", "bottom"):
                axis = plot.getPlotItem().getAxis(side)
                axis.setPen(pg.mkPen(theme.color("border")))
                axis.setTextPen(pg.mkPen(theme.color("muted")))
                axis.setStyle(tickFont=theme.small_font(), tickLength=0, tickTextOffset=4)
                axis.enableAutoSIPrefix(False)
