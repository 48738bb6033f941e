"""A plot under a line of legend, which neither pans nor zooms: what is drawn decides its axes."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from widgets.curves.plot_menu import adopt_menu
from widgets.style import theme


class LegendPlot(QWidget):
    """A subclass draws in :meth:`_draw`, which is called again when the theme changes.

    Args:
        view: the plot.
        name: for screen readers.
        wraps: whether a long legend goes on in the next line.
    """

    def __init__(self, view: pg.PlotWidget, name: str, wraps: bool = False) -> None:
        super().__init__()
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setFont(theme.small_font())
        self.legend.setMinimumWidth(1)
        self.legend.setWordWrap(wraps)
        self.view = view
        adopt_menu(view)
        view.setMenuEnabled(False)
        view.setMouseEnabled(False, False)
        view.hideButtons()
        view.setFrameShape(QFrame.Shape.NoFrame)
        view.setAccessibleName(name)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.HAIR)
        column.addWidget(self.legend)
        column.addWidget(view, 1)
        self._restyle()
        theme.on_change(self, self._restyle)

    def _draw(self) -> None:
        """Draw what there is; nothing by default."""

    def _restyle(self) -> None:
        self.view.setBackground(theme.color("plot_background"))
        self._draw()
