"""pyqtgraph makes a menu without a parent for every plot, which outlives the window; here it is given to its plot."""

from __future__ import annotations

import pyqtgraph as pg


def adopt_menu(view: pg.PlotWidget) -> None:
    """Make the plot own its menu, so that both end together."""
    menu = view.getPlotItem().ctrlMenu
    menu.setParent(view, menu.windowFlags())
