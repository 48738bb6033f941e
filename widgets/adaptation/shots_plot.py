"""The score against the number of shots: of the chosen task, of held-out tasks, and what they are compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QColor

from studio.contracts import ReferenceLine
from widgets.adaptation.palette import span
from widgets.curves.axis import PlotAxis, number
from widgets.features.legend_plot import LegendPlot
from widgets.style import theme

if TYPE_CHECKING:
    from studio.run.adaptation import Adaptation
    from studio.run.evaluate import Evaluation

WIDEST = 3.0  # times the scores' own span: a reference line farther off is named in the legend alone
DIGITS = 6  # of a reference line's value, after the point: an expert's error is what rounding makes it (and −0 is 0)
LEAST = 0.1  # of the largest score: the span that is shown at least
GROUPS = (("task", "o", "●"), ("inside", "t1", "▲"), ("outside", "d", "◆"))  # key, pyqtgraph's mark, the legend's
APART = 0.015  # of the axis: between the marks of two groups


class ShotsPlot(LegendPlot):
    """Scores with their 95% intervals."""

    def __init__(self) -> None:
        self._scores: dict[str, dict[int, Evaluation]] = {}
        self._references: Sequence[ReferenceLine] = ()
        view = pg.PlotWidget(axisItems={"bottom": PlotAxis("bottom"), "left": PlotAxis("left")})
        super().__init__(view, QCoreApplication.translate("ShotsPlot", "Score against the number of shots"), wraps=True)
        view.getPlotItem().setContentsMargins(0, 4, 10, 0)

    def clear(self) -> None:
        """Show nothing."""
        self._scores, self._references = {}, ()
        self._draw()

    def set_references(self, lines: Sequence[ReferenceLine]) -> None:
        """Take what the scores are compared with."""
        self._references = lines
        self._draw()

    def set_adaptation(self, found: Adaptation) -> None:
        """Show the scores on the chosen task."""
        self._set("task", {one.shots: one.score for one in found.after})

    def set_held_out(self, which: str, scores: dict[int, Evaluation]) -> None:
        """Show the scores on held-out tasks, ``inside`` or ``outside`` the range of training."""
        self._set(which, scores)

    def _set(self, key: str, scores: dict[int, Evaluation]) -> None:
        self._scores[key] = scores
        self._draw()

    def _draw(self) -> None:
        self.view.clear()
        counts = {count for scores in self._scores.values() for count in scores}
        aside = APART * (max(counts) - min(counts)) if counts else 0.0
        shown = [(place, *group) for place, group in enumerate(GROUPS) if group[0] in self._scores]
        names = {"task": self.tr("this task"), "inside": self.tr("held out"), "outside": self.tr("outside the range")}
        parts = []
        for place, key, mark, sign in shown:
            self._add(self._scores[key], theme.series(place), mark, (place - 1) * aside * (len(shown) > 1))
            parts.append(span(theme.series(place), sign, names[key]))
        if not shown:
            self.legend.setText("")
            return
        shots = sorted(counts)
        low, high = self._range(shots)
        for place, line in enumerate(self._references):
            hue = theme.series(3 + place)
            values = np.array([line.after(count) for count in shots])
            pen = pg.mkPen(hue, width=1.5, style=Qt.PenStyle.DashLine)
            self.view.addItem(pg.PlotDataItem(shots, values, pen=pen, connect="finite"))
            parts.append(self._named(line, hue, values, low, high))
        self.view.setXRange(shots[0], shots[-1], padding=0.07)
        self.view.setYRange(low, high, padding=0.06)
        self.view.getAxis("bottom").setTicks([[(count, str(count)) for count in shots]])
        self.legend.setText("&nbsp; ".join(parts))
        self.legend.setToolTip(self._tip())

    def _add(self, scores: dict[int, Evaluation], hue: QColor, mark: str, aside: float) -> None:
        shots = np.array(sorted(scores), float) + aside
        values, low, high = np.array([(one.score, one.low, one.high) for _, one in sorted(scores.items())]).T
        pen = pg.mkPen(hue, width=1)
        bars = pg.ErrorBarItem(x=shots, y=values, top=high - values, bottom=values - low, beam=0, pen=pen)
        self.view.addItem(bars)
        line = pg.PlotDataItem(
            shots, values, pen=pg.mkPen(hue, width=2), symbol=mark, symbolSize=7, symbolBrush=hue, symbolPen=None
        )
        self.view.addItem(line)

    def _range(self, shots: Sequence[int]) -> tuple[float, float]:
        """Return the values between which is shown: all scores, and the reference lines that are not far off."""
        ends = [end for scores in self._scores.values() for one in scores.values() for end in (one.low, one.high)]
        low, high = min(ends), max(ends)
        found = [[v for v in map(line.after, shots) if math.isfinite(v)] for line in self._references]
        room, middle = max(high - low, LEAST * max(abs(low), abs(high))), (low + high) / 2
        if room == 0:  # all scores are 0, which has no size of its own
            room = max((abs(v) for values in found for v in values), default=0.0) or 1.0
        low, high = min(low, middle - room / 2), max(high, middle + room / 2)
        for values in sorted(filter(None, found), key=lambda values: max(abs(v - middle) for v in values)):
            wider = min(low, *values), max(high, *values)
            if wider[1] - wider[0] <= WIDEST * room:
                low, high = wider
        return low, high

    def _named(self, line: ReferenceLine, hue: QColor, values: np.ndarray, low: float, high: float) -> str:
        """Return a line's entry in the legend, with its value where it is one, and where it lies if it is not seen."""
        known = values[np.isfinite(values)]
        name = line.name.replace(" ", "&nbsp;")
        text = f"{name}&nbsp;{number(round(float(known[0]), DIGITS) + 0.0)}" if len(line.scores) == 1 else name
        if len(known) and (known.max() < low or known.min() > high):
            text += "&nbsp;↓" if known.max() < low else "&nbsp;↑"
        return span(hue, "┄", text)

    def _tip(self) -> str:
        """Return where each reference line is from."""
        family = self.tr("a mean over the family")
        lines = [f"{line.name}: {line.source}" + (f"; {family}" if line.of_family else "") for line in self._references]
        head = self.tr("Score of the episode after so many shots, with its 95% interval.")
        return "\n".join([head, *lines])

    def _restyle(self) -> None:
        for side in ("left", "bottom"):
            self.view.getAxis(side).restyle(self.font())
        self.view.getAxis("left").setWidth(44)
        super()._restyle()
