"""The Curves panel: loss, success and load as they come, and the selected runs overlaid."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from studio.contracts import PanelInfo
from studio.experiment import Experiment
from widgets.curves.content import Key
from widgets.curves.data import RunData
from widgets.curves.feed import RunFeed
from widgets.curves.overlay import Overlay
from widgets.curves.plot_export import PlotExport
from widgets.curves.tool_bar import CurveToolBar
from widgets.curves.view import CurveView
from widgets.forms.content_stack import ContentStack
from widgets.shell.app_state import AppState
from widgets.style import theme


class CurvesPanel(QWidget):
    """See the module.

    Args:
        app_state: the window's state.
        load_run: reads a run folder; called off the UI thread. None reads its log.
    """

    def __init__(self, app_state: AppState, load_run: Callable[[Path], RunData] | None = None) -> None:
        super().__init__()
        overlay = Overlay.of(app_state)
        self.view = CurveView(overlay.color)
        self.feed = RunFeed(app_state, overlay, load_run, self)
        self.exports = PlotExport(app_state, self.view)
        self.bar = CurveToolBar(self.view, self.exports)
        self.stack = ContentStack(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.HAIR, theme.MEDIUM, theme.MEDIUM)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.bar)
        column.addWidget(self.stack)
        self.view.checkpoint_clicked.connect(app_state.checkpoint_chosen)
        self.view.menu_asked.connect(self._open_menu)
        self.bar.group.toggled.connect(overlay.set_grouped)
        self.feed.runs_changed.connect(self._show_runs)
        self.feed.touched.connect(self.view.touch)
        app_state.experiment_changed.connect(self._describe)
        self._describe(app_state.experiment)
        self.feed.start()

    def _describe(self, experiment: Experiment) -> None:
        """Write the experiment's question and the result to expect in the place of curves."""
        how = self.tr("Press Run to see loss and success here, or check runs in the Runs panel to compare them.")
        words = (
            [f"<b>{escape(experiment.heading)}</b>", escape(experiment.description)] if experiment.description else []
        )
        self.stack.sentence.setText("".join(f"<p>{part}</p>" for part in [*words, how]))

    def _show_runs(self, runs: list[RunData]) -> None:
        self.view.set_runs(runs)
        self.stack.show_content(bool(runs))
        self.bar.setEnabled(bool(runs))

    def _open_menu(self, key: Key, place: QPoint) -> None:
        menu = QMenu(self)
        menu.addAction(self.bar.fit)
        menu.addAction(self.tr("&Hide this plot"), partial(self.view.set_shown, key, False))
        menu.addSeparator()
        self.exports.fill(menu)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(place)


PANEL = PanelInfo(
    id="curves",
    title="Curves",
    summary="Live loss, success and load, with the selected runs overlaid.",
    area="center",
    order=50,
    factory=CurvesPanel,
    help="runs-and-files",
    shortcuts={
        "Click on a curve": "Play the nearest checkpoint in the viewport",
        "Wheel, drag": "Zoom and pan; linked plots follow",
        "Double-click": "Zoom out to all data",
        "Right-click": "Hide a plot, export the plots",
        "Click in the legend": "Highlight a run, or no run; of an average over seeds, show them",
    },
)
