"""What plots of an adaptation's episodes share: what is drawn of each number of shots, in its color."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyqtgraph as pg

from widgets.adaptation.palette import shot_color, span
from widgets.features.legend_plot import LegendPlot

if TYPE_CHECKING:
    from studio.run.adaptation import Adaptation, AfterShots


class EpisodesPlot(LegendPlot):
    """A subclass draws ``after``: what a policy does after each number of shots; nothing at first."""

    def __init__(self, view: pg.PlotWidget, name: str) -> None:
        self.after: tuple[AfterShots, ...] = ()
        super().__init__(view, name, wraps=True)

    def set_adaptation(self, found: Adaptation | None) -> None:
        """Show an adaptation's episodes; None: nothing."""
        self.after = () if found is None else found.after
        self._draw()

    def _shot_names(self) -> list[str]:
        """Return the numbers of shots for the legend, each in its color."""
        return [span(shot_color(i, len(self.after)), "▬", str(one.shots)) for i, one in enumerate(self.after)]
