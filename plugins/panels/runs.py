"""The Runs panel: every run in the runs folder, to sort, search, compare, plot, export, resume and delete."""

from __future__ import annotations

from functools import partial

from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QLineEdit

from studio.contracts import PanelInfo
from widgets.curves.overlay import Overlay
from widgets.runs.actions import RunActions
from widgets.runs.list_panel import ActionBar, ListPanel
from widgets.runs.listing import RunListing
from widgets.runs.report import rate, summary
from widgets.runs.run_filter import RunFilter
from widgets.runs.table import RunTable
from widgets.runs.view import RunView
from widgets.shell.app_state import AppState
from widgets.style import theme

BUTTONS = ("show", "load", "resume", "folder", "export", "delete")


class RunsPanel(ListPanel):
    """See the module."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        overlay = Overlay.of(app_state)
        self._app_state = app_state
        self.table = RunTable(overlay, app_state.title_of, self)
        self.proxy = RunFilter(self.table, self)
        self.view = RunView(self.proxy, overlay, settings=app_state.folders.settings)
        self.actions_ = RunActions(app_state, overlay, self.view)
        self.listing = RunListing(app_state, overlay, self.table, self)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search runs"))
        self.search.setAccessibleName(self.tr("Search runs"))
        self.search.setToolTip(
            self.tr(
                "<p>Finds runs that contain all words, in any column. By field: <b>strategy:lora seed:1 "
                "episodes:&gt;20 state:finished</b>; also source, target, name, score, on_source, duration, trainable. "
                "<b>5..20</b> is a range, a minus before a part excludes.</p>"
            )
        )
        self.search.setClearButtonEnabled(True)
        self.arrange(self._bar(), self.view, self.tr("No runs yet. Press Run to start the first one."))
        self.search.textChanged.connect(self.proxy.search)
        self.search.textChanged.connect(self.view.show_found)
        self.search.textChanged.connect(self._summarize)
        self.view.selectionModel().selectionChanged.connect(lambda *_: self._summarize())
        self.listing.listed.connect(self._take_runs)
        app_state.registry_ready.connect(self.table.redraw)
        self._summarize()
        self.listing.refresh()

    def _bar(self) -> ActionBar:
        bar = ActionBar()
        bar.addWidget(self.search, 1)
        bar.addSpacing(theme.SMALL)
        bar.add_actions(self.actions_.by_id[id] for id in BUTTONS)
        return bar

    def _take_runs(self) -> None:
        self.show_list(self.table.rowCount() > 0)
        self.actions_.enable()
        self._summarize()

    def _summarize(self) -> None:
        """Say how many runs there are, or what the selected ones achieved."""
        chosen = self.view.selected()
        if not chosen:
            total, found = len(self.table.rows), len(self.proxy.runs())
            text = self.tr("1 run") if total == 1 else self.tr("%1 runs").replace("%1", str(total))
            if found != total:
                text = self.tr("%1 of %2 runs").replace("%1", str(found)).replace("%2", str(total))
        else:
            text = self.tr("%1 selected").replace("%1", str(len(chosen)))
            for label, count, mean, low, high in summary(chosen, partial(self._app_state.title_of, "strategies"))[:4]:
                spread = f" ({rate(low)} to {rate(high)})" if count > 1 else ""
                times = f" ×{count}" if count > 1 else ""
                text += f"  ·  {label}{times}  {rate(mean)}{spread}"
        self.summary.setText(text)
        self.summary.setToolTip(text if chosen else "")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.listing.set_polling(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.listing.set_polling(False)


PANEL = PanelInfo(
    id="runs",
    title="Runs",
    summary="All runs, to sort, search, compare, plot, export, resume and delete.",
    area="right",
    order=50,
    factory=RunsPanel,
    help="comparisons-and-queue",
    shortcuts={
        "Enter": "Show only the selected runs in the curves",
        "Space": "Show or hide the selected runs in the curves",
        "Double-click": "Show only this run in the curves",
        "Right and Left": "Open and close a row of several seeds",
        "Right-click": "Everything that can be done with the selected runs",
        "Right-click on a column's head": "Choose the columns",
        "Ctrl+C": "Copy the selected runs as a Markdown table",
        "Del": "Move the selected runs to the trash",
    },
)
