"""Small multiples: one plot for each metric and stage, sharing cursor and range, with a legend of values.

Data may come as often as it likes: plots follow it at the pace of :mod:`widgets.curves.redraw_queue`, and only while
they can be seen.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QColor, QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QGridLayout, QSplitter, QWidget

from widgets.curves.axis import metric_name, stage_name
from widgets.curves.content import DEFAULT_METRICS, SUCCESS, Content, Key, available, build, horizontal
from widgets.curves.curve import Curve, Options
from widgets.curves.data import PRETRAIN, RunData
from widgets.curves.groups import group_of, is_group
from widgets.curves.legend import CurveLegend
from widgets.curves.plot import CurvePlot
from widgets.curves.plot_grid import PlotGrid
from widgets.curves.redraw_queue import RedrawQueue
from widgets.curves.seed_average import Averages
from widgets.curves.tasks import metric_of
from widgets.style import theme

HOVER_MS = 25
LEGEND_SHARE = 0.45  # of the view's width that the legend takes at most for names to be read whole


class CurveView(QWidget):
    """See the module."""

    plots_changed = Signal()  # which plots there are, or which of them are shown
    checkpoint_clicked = Signal(object, int)  # (run folder, step)
    menu_asked = Signal(object, object)  # (key, global position)

    def __init__(self, color: Callable[[Path | None], QColor], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.options = Options()
        self.plots: dict[Key, CurvePlot] = {}
        self.runs: list[RunData] = []
        self._color = color
        self._keys: list[Key] = []
        self._chosen: dict[Key, bool] = {}
        self._references: dict[str, list[tuple[str, float]]] = {}
        self._highlight: Path | None = None
        self._averages = Averages()
        self._opened: set[str] = set()  # groups whose seeds are shown
        self._focus: Key | None = None
        self._cursor: float | None = None
        self.grid = PlotGrid()
        self.legend = CurveLegend()
        self.legend.run_clicked.connect(self.highlight)
        self.legend.group_clicked.connect(self.open_group)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.grid)
        self.splitter.addWidget(self.legend)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setSizes([900, 190])
        column = QGridLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.splitter)
        self._redraws = RedrawQueue(self)
        self._redraws.due.connect(self.redraw)
        self._hover_timer = QTimer(self)
        self._hover_timer.setSingleShot(True)
        self._hover_timer.timeout.connect(self._show_cursor)
        self.grid.arranged.connect(self._schedule)
        theme.on_change(self, self._restyle)

    # -- the panel's messages

    def set_runs(self, runs: Iterable[RunData]) -> None:
        """Which runs are drawn, in order."""
        self.runs = list(runs)
        self._place_legend()
        self.touch()

    def touch(self, metrics: Iterable[str] | None = None) -> None:
        """Note that numbers came, for these metrics or for all; the plots follow at their pace."""
        keys = available(self.runs)
        if keys != self._keys:
            self._keys = keys
            self._rebuild()
        wanted = None if metrics is None else {group_of(metric) for metric in metrics}
        if wanted is None:
            self._redraws.hurry()
        self._redraws.add(key for key in self.plots if wanted is None or metric_of(key[0]) in wanted)
        self._schedule()

    def set_options(self, **changes: Any) -> None:
        """Change axis, smoothing, log_y or link_x."""
        before, self.options = self.options, replace(self.options, **changes)
        if self.options.axis != before.axis or self.options.log_y != before.log_y:
            for plot in self.plots.values():
                plot.auto_x = plot.auto_y = True
        self.touch()

    @property
    def columns(self) -> int:
        """In how many columns the plots lie."""
        return self.grid.columns

    @property
    def is_drawn(self) -> bool:
        """Whether every shown plot shows the latest numbers."""
        return self._redraws.is_empty

    @property
    def candidates(self) -> list[Key]:
        """Every plot there could be."""
        return list(self._keys)

    def is_shown(self, key: Key) -> bool:
        """Whether the plot is wanted: by default the loss, the success, the returns and the load."""
        metric, stage = metric_of(key[0]), key[1]
        usual = metric in DEFAULT_METRICS or is_group(metric)
        chosen = self._chosen.get(key, self._chosen.get((metric, stage)))  # as it was before the tasks were separated
        return chosen if chosen is not None else usual and key != (SUCCESS, PRETRAIN)

    def words(self, key: Key) -> tuple[str, str]:
        """The plot's name and stage in words."""
        return metric_name(key[0]), stage_name(key[1])

    def set_shown(self, key: Key, shown: bool) -> None:
        """Show or hide a plot."""
        self._chosen[key] = shown
        self._rebuild()
        self.touch()

    def set_references(self, metric: str, references: list[tuple[str, float]]) -> None:
        """Reference lines (label, y) for every plot of a metric."""
        self._references[metric] = references
        for key, plot in self.plots.items():
            if metric_of(key[0]) == metric:
                plot.set_references(references)

    def fit(self) -> None:
        """Show all data again in every plot."""
        for plot in self.plots.values():
            plot.auto_x = plot.auto_y = True
        self.touch()

    def highlight(self, run: Path | None) -> None:
        """Fade the other runs; the same run once more ends it."""
        self._highlight = None if run == self._highlight else run
        self.touch()

    def open_group(self, group: str) -> None:
        """Show the seeds of an average, or hide them again; the average is over all of them all the same."""
        self._opened ^= {group}
        self.touch()

    def contents(self) -> list[Content]:
        """What the shown plots hold, as drawn: for export."""
        self._redraws.add(self.plots)
        self.redraw(everything=True)
        return [plot.content for plot in self.plots.values()]

    # -- drawing

    def _schedule(self) -> None:
        if self.isVisible():
            self._redraws.schedule()

    def redraw(self, everything: bool = False) -> None:
        """Draw the plot that has waited longest for its new numbers, or all of them."""
        began = time.perf_counter()
        seen = {k: p for k, p in self.plots.items() if everything or not p.visibleRegion().isEmpty()}
        drawn = self._redraws.take(seen, everything)
        for key in drawn:
            plot = seen[key]
            content = build(key, self.runs, self.options, self._tint, self._averages, self._opened)
            plot.set_content(content, horizontal(key, self.options.axis)[0] == "time")
            plot.set_note(self._note(key) if not content.curves else "")
        if drawn:
            self._fit_x(seen)
        self._show_legend()
        painting = sum(seen[key].layer.paint_seconds for key in drawn)
        self._redraws.drawn(time.perf_counter() - began + painting, seen)

    def _fit_x(self, plots: dict[Key, CurvePlot]) -> None:
        """Give plots with the same horizontal axis the same range, so that simultaneous events line up."""
        bounds: dict[tuple[str, str], tuple[float, float]] = {}
        for key, plot in self.plots.items():
            found = plot.layer.x_bounds()
            if found is not None:
                group = horizontal(key, self.options.axis)
                known = bounds.get(group, found)
                bounds[group] = (min(known[0], found[0]), max(known[1], found[1]))
        for key, plot in plots.items():
            if plot.auto_x:
                left, right = bounds.get(horizontal(key, self.options.axis), (0.0, 1.0))
                if key[0] == SUCCESS:
                    left = min(left, 0.0)
                right = left + _round_up(right - left)
                margin = (right - left) * 0.02
                plot.set_x(left - (margin if key[0] == SUCCESS else 0), right + margin)

    def _tint(self, run: RunData) -> QColor:
        color = self._color(run.folder)
        if self._highlight is not None and run.folder != self._highlight:
            return theme.blend(color, theme.color("plot_background"), 0.25)
        return color

    def _note(self, key: Key) -> str:
        if key[0] == SUCCESS:
            return self.tr("No evaluation yet")
        return self.tr("No data yet")

    # -- layout

    def _rebuild(self) -> None:
        wanted = [key for key in self._keys if self.is_shown(key)]
        self.plots = {key: self.plots.get(key) or self._make(key) for key in wanted}
        self._redraws.keep(self.plots)
        self.grid.set_plots([*self.plots.values()])
        self.plots_changed.emit()

    def _make(self, key: Key) -> CurvePlot:
        plot = CurvePlot(key)
        plot.set_references(self._references.get(metric_of(key[0]), []))
        plot.hovered.connect(self._hover)
        plot.ranged.connect(self._ranged)
        plot.clicked.connect(self._clicked)
        plot.menu_asked.connect(self.menu_asked)
        plot.uncovered.connect(self._uncovered)
        self._redraws.add([key])
        return plot

    def _uncovered(self) -> None:
        if not self._redraws.is_empty:
            self._redraws.hurry()
            self._schedule()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_legend()

    def _place_legend(self) -> None:
        """One run has its values in the plots' heads; more need the legend, where there is room for it."""
        wanted = len(self.runs) > 1 and self.width() >= 480
        if wanted != self.legend.isVisibleTo(self):
            self.legend.setVisible(wanted)
            self._show_legend()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._redraws.add(self.plots)
        self._redraws.hurry()
        self._schedule()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._redraws.stop()
        self._hover_timer.stop()

    def _restyle(self) -> None:
        for plot in self.plots.values():
            plot.restyle()
        self.touch()

    # -- mouse

    def _hover(self, key: Key, x: float | None) -> None:
        self._cursor = x
        if x is not None:
            self._focus = key
        if not self._hover_timer.isActive():  # the mouse moves more often than needs drawing
            self._hover_timer.start(HOVER_MS)

    def _show_cursor(self) -> None:
        x, key = self._cursor, self._focus
        if key not in self.plots:
            return
        group = horizontal(key, self.options.axis)
        for other, plot in self.plots.items():
            plot.show_cursor(x if horizontal(other, self.options.axis) == group else None)
        self._show_legend()

    def _ranged(self, key: Key, left: float, right: float) -> None:
        kind = horizontal(key, self.options.axis)
        whole = math.isnan(left)
        for other, plot in self.plots.items():
            if other != key and self.options.link_x and horizontal(other, self.options.axis) == kind:
                plot.auto_x = whole
                if not whole:
                    plot.set_x(left, right)
        if whole:
            self.touch()

    def _clicked(self, key: Key, curve: Curve, step: float) -> None:
        run = next((r for r in self.runs if r.folder == curve.run), None)
        chosen = run.nearest_checkpoint(key[1], step) if run is not None else None
        if run is not None and run.folder is not None and chosen is not None:
            self.checkpoint_clicked.emit(run.folder, chosen)

    def _show_legend(self) -> None:
        if not self.legend.isVisibleTo(self):
            return
        plot = self.plots.get(self._focus) if self._focus else None
        plot = plot or next(iter(self.plots.values()), None)
        if plot is None:
            self.legend.set_rows("", [])
            return
        timed = horizontal(plot.key, self.options.axis)[0] == "time"
        self.legend.show_plot(plot, self._cursor if self._focus == plot.key else None, timed)
        self.legend.setMinimumWidth(min(self.legend.wanted_width(), round(LEGEND_SHARE * self.width())))


def _round_up(span: float) -> float:
    """The next round length: a growing curve then moves its axis now and then, not at every step."""
    if span <= 0:
        return span
    power = 10.0 ** math.floor(math.log10(span))
    return power * next(m for m in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if span <= m * power * (1 + 1e-9))
