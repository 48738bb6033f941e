"""The plane in which a goal lies: paths after each number of shots, tasks of training, and the goal to be dragged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, QPointF, Signal
from PySide6.QtGui import QColor

from widgets.adaptation.palette import shot_color, span
from widgets.adaptation.rings import OUTERMOST, ring
from widgets.features.legend_plot import LegendPlot
from widgets.style import theme

if TYPE_CHECKING:
    from studio.run.adaptation import Adaptation
    from studio.run.belief import Belief
    from widgets.adaptation.job import TaskFacts

MARGIN = 1.1  # of the plane beside what is shown in it
HANDLE = 16  # px


class PlanePlot(LegendPlot):
    """The goal is a handle; an angle's is on a circle around the start."""

    dragged = Signal(tuple)  # the new context

    def __init__(self) -> None:
        self._facts: TaskFacts | None = None
        self._found: Adaptation | None = None
        self._context: tuple[float, ...] = ()
        self._reach = 1.0  # m from the middle to what lies farthest out
        self._handle = pg.TargetItem((0, 0), size=HANDLE, movable=True)
        super().__init__(
            pg.PlotWidget(), QCoreApplication.translate("PlanePlot", "Paths and goal in the plane"), wraps=True
        )
        self.view.getPlotItem().getViewBox().setAspectLocked(True)
        for side in ("left", "bottom"):
            self.view.hideAxis(side)
        self.view.setToolTip(
            self.tr(
                "Drag the goal: the run adapts to the new task at once. Gray: tasks of training. Crosses: where the "
                "policy looks by samples of its posterior. Rings: goals that the episodes so far leave possible, "
                "the exact posterior, one ring for each number of shots"
            )
        )
        self._handle.sigPositionChanged.connect(self._drag)

    def set_facts(self, facts: TaskFacts) -> None:
        """Show another family of tasks."""
        self._facts, self._found, self._context = facts, None, facts.first
        self._draw()

    def set_context(self, context: tuple[float, ...]) -> None:
        """Put the goal's handle elsewhere."""
        self._context = context
        self._place_handle()

    def set_adaptation(self, found: Adaptation) -> None:
        """Show the paths of an adaptation."""
        self._found = found
        self._draw()

    @property
    def _is_angle(self) -> bool:
        return self._facts is not None and not self._facts.goal

    def _draw(self) -> None:
        self.view.clear()
        facts, found = self._facts, self._found
        if facts is None:
            return
        after = found.after if found is not None else ()
        paths = [one.trajectory.path[:, :2] for one in after]
        spread = [np.zeros((1, 2)), *paths]
        if not self._is_angle:
            faint = theme.blend(theme.color("muted"), theme.color("plot_background"), 0.35)
            places = facts.family[:, :2]
            self.view.addItem(pg.ScatterPlotItem(*places.T, size=4, pen=None, brush=faint))
            spread += [places, np.array([facts.first[:2]]), *(OUTERMOST * one.belief.contexts[:, :2] for one in after)]
        self._reach = MARGIN * max(1e-6, float(max(np.abs(part).max(initial=0.0) for part in spread)))
        for place, path in enumerate(paths):
            hue = shot_color(place, len(after))
            self.view.addItem(pg.PlotDataItem(*path.T, pen=pg.mkPen(hue, width=2)))
            self.view.addItem(
                pg.ScatterPlotItem(*path[-1:].T, size=9, pen=pg.mkPen(theme.color("plot_background")), brush=hue)
            )
        for place, one in enumerate(after):
            self._add_belief(one.belief, place, shot_color(place, len(after)))
        self.view.addItem(self._handle)
        self._place_handle()
        self.view.setRange(xRange=(-self._reach, self._reach), yRange=(-self._reach, self._reach), padding=0)
        shots = [span(shot_color(i, len(after)), "●", str(one.shots)) for i, one in enumerate(after)]
        goal = span(theme.color("error"), "⊕", self.tr("goal"))
        parts = [goal, *([self.tr("after shots:")] if shots else []), *shots]
        if any(len(one.belief.samples) for one in after):
            parts.append(span(theme.color("muted"), "✕", self.tr("samples")))
        if any(len(one.belief.contexts) for one in after):
            parts.append(span(theme.color("muted"), "◠", self.tr("possible")))
        self.legend.setText("&nbsp; ".join(parts))

    def _add_belief(self, belief: Belief, place: int, hue: QColor) -> None:
        """Draw where samples of the posterior lead to, and on a ring of its own which goals are possible."""
        if len(belief.samples):
            ends = belief.samples[:, :2]
            self.view.addItem(pg.ScatterPlotItem(*ends.T, size=7, symbol="x", pen=None, brush=hue))
        if len(places := ring(belief, place)):
            self.view.addItem(pg.ScatterPlotItem(*places.T, size=4, pen=None, brush=hue))

    def _place_handle(self) -> None:
        if len(self._context) < 2:
            return
        x, y = self._context[:2]
        scale = 0.9 * self._reach if self._is_angle else 1.0
        self._handle.blockSignals(True)
        self._handle.setPos(scale * x, scale * y)
        self._handle.blockSignals(False)

    def _drag(self) -> None:
        at: QPointF = self._handle.pos()
        x, y = at.x(), at.y()
        if self._is_angle:
            length = math.hypot(x, y) or 1.0
            x, y = x / length, y / length
        self._context = (x, y, *self._context[2:])
        if self._is_angle:
            self._place_handle()
        self.dragged.emit(self._context)

    def _restyle(self) -> None:
        pen = pg.mkPen(theme.color("error"), width=2)
        self._handle.setPen(pen)
        self._handle.setHoverPen(pg.mkPen(theme.color("accent"), width=2))
        super()._restyle()
