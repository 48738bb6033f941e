"""The Queue panel: runs that wait, to order, skip, cancel and repeat, also while one of them is being run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QPoint, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QMenu, QTableView

from studio.contracts import PanelInfo
from studio.events import Progress
from studio.run.queue_entry import ENDED, PENDING, Entry
from widgets.runs.delegates import StateDelegate
from widgets.runs.list_panel import ActionBar, ListPanel
from widgets.runs.queue_table import NAME, STATE, QueueTable
from widgets.runs.table import INFO
from widgets.shell.app_state import AppState
from widgets.shell.pipeline_state import duration
from widgets.style import theme

REFRESH_SECONDS = 0.5  # between two showings of progress and time left
_WIDEST = ("demo-full_finetuning-50", "mmrunning 100%", "Full fine-tuning", "Episodes ", "Seed ", "12 min ")


class QueuePanel(ListPanel):
    """See the module."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state, self._queue = app_state, app_state.queue
        self._left = math.nan  # seconds that the running entry still needs
        self._refreshed = 0.0
        self.table = QueueTable(partial(app_state.title_of, "strategies"), self)
        self.view = self._make_view()
        self.by_id: dict[str, QAction] = {}
        self._make_actions()
        words = self.tr("Nothing waits. What you run or compare while a run is in progress waits here until that ends.")
        self.arrange(self._bar(), self.view, words)
        self.view.selectionModel().selectionChanged.connect(lambda *_: self._enable())
        self.view.customContextMenuRequested.connect(self._open_menu)
        self._queue.changed.connect(self._take)
        app_state.progress.connect(self._take_progress)
        app_state.running_changed.connect(lambda _: self._take_running())
        app_state.registry_ready.connect(self.table.redraw)
        self._take()

    def selected(self) -> list[Entry]:
        """Return the selected entries, in order."""
        rows = sorted(self.view.selectionModel().selectedRows(NAME), key=lambda index: index.row())
        return [index.data(INFO) for index in rows]

    def _make_view(self) -> QTableView:
        view = QTableView()
        view.setModel(self.table)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setTabKeyNavigation(False)
        view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.setAccessibleName(self.tr("Queue"))
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(view.fontMetrics().height() + 9)
        view.horizontalHeader().setHighlightSections(False)
        view.horizontalHeader().setStretchLastSection(True)
        view.setItemDelegateForColumn(STATE, StateDelegate(view))
        for column, text in enumerate(_WIDEST):
            view.setColumnWidth(column, view.fontMetrics().horizontalAdvance(text) + 16)
        theme.on_change(view, view.viewport().update)
        return view

    def _make_actions(self) -> None:
        queue = self._queue.queue

        def add(id: str, text: str, help: str, icon: str, call: Callable[[], object], key: str = "") -> None:
            action = QAction(text, self)
            action.setToolTip(f"{help} ({key})" if key else help)
            action.triggered.connect(lambda _=False: call())
            if key:
                action.setShortcut(QKeySequence(key))
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
                self.view.addAction(action)
            theme.set_icon(action, icon)
            self.by_id[id] = action

        def change(work: Callable[[list[int]], object]) -> Callable[[], None]:
            return lambda: self._queue.change(partial(work, [entry.id for entry in self.selected()]))

        add("start", self.tr("&Start"), "", "run", self._start_or_hold)
        earlier, later = change(lambda ids: queue.move(ids, -1)), change(lambda ids: queue.move(ids, 1))
        add("up", self.tr("Move &up"), self.tr("Run it earlier"), "arrow-up", earlier, "Alt+Up")
        add("down", self.tr("Move &down"), self.tr("Run it later"), "arrow-down", later, "Alt+Down")
        skip = self.tr("Pass over what waits; a running one is stopped with a checkpoint, and the next one starts")
        add("skip", self.tr("S&kip"), skip, "step", change(queue.skip), "Space")
        repeat = self.tr("Resume what was stopped or failed, let what was skipped wait again, run a finished one again")
        add("repeat", self.tr("&Repeat"), repeat, "reset", change(queue.repeat))
        seed = self.tr("Add the run again with the next seed that is not in the queue")
        add("seed", self.tr("Repeat with another s&eed"), seed, "dice", self._repeat_with_seed)
        cancel = self.tr("Take it off the queue; a running one is stopped with a checkpoint. Its run is kept.")
        add("cancel", self.tr("&Cancel"), cancel, "close", change(queue.cancel), "Del")
        ended = self.tr("Take everything that has ended off the queue; the runs are kept")
        add("clear", self.tr("Clear what has e&nded"), ended, "trash", lambda: self._queue.change(queue.cancel_ended))

    def _bar(self) -> ActionBar:
        bar = ActionBar()
        bar.add_actions([self.by_id["start"]], text=True)
        bar.addStretch(1)
        bar.add_actions(self.by_id[id] for id in ("up", "down", "skip", "repeat", "cancel", "clear"))
        return bar

    def _start_or_hold(self) -> None:
        """Start what waits; or hold it while the present run goes on."""
        queue = self._queue
        if queue.is_going:
            queue.change(partial(queue.queue.set_going, False))
        elif self._app_state.is_running:
            queue.change(partial(queue.queue.set_going, True))
        else:
            self._app_state.run_queue()

    def _repeat_with_seed(self) -> None:
        queue = self._queue.queue
        chosen = self.selected()

        def work() -> None:
            for entry in chosen:
                alike = entry.experiment.changed(seed=0)
                seeds = [e.experiment.seed for e in queue.entries() if e.experiment.changed(seed=0) == alike]
                queue.repeat([entry.id], max([entry.experiment.seed, *seeds]) + 1)

        self._queue.change(work)

    def _take(self) -> None:
        kept = {entry.id for entry in self.selected()}
        self.table.set_entries(self._queue.entries)
        if kept and not self.selected():
            chosen = QItemSelection()
            for row, entry in enumerate(self.table.rows):
                if entry.id in kept:
                    chosen.select(self.table.index(row, NAME), self.table.index(row, NAME))
            self.view.selectionModel().select(
                chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            )
        self.show_list(bool(self.table.rows))
        self._summarize()
        self._enable()

    def _take_running(self) -> None:
        self._left = math.nan
        self.table.set_fraction(None)
        self._summarize()
        self._enable()

    def _take_progress(self, progress: Progress | None) -> None:
        now = time.monotonic()
        if progress is not None and now - self._refreshed >= REFRESH_SECONDS and self.isVisible():
            self._refreshed, self._left = now, progress.seconds_left
            self.table.set_fraction(progress.fraction if math.isfinite(progress.fraction) else None)
            self._summarize()

    def _summarize(self) -> None:
        """Say how many wait, and how long all of it still takes."""
        waiting = len(self._queue.waiting)
        running = any(entry.state == "running" for entry in self._queue.entries)
        parts = [self.tr("{count} waiting").format(count=waiting)]
        left = self._queue.time_left(self._left)
        if (waiting or running) and math.isfinite(left):
            parts.append(self.tr("about {time} left in all").format(time=duration(left)))
        elif waiting and running:
            parts.append(self.tr("time left: known once a run has ended"))
        if waiting and not self._queue.is_going:
            parts.append(self.tr("held"))
        text = "  ·  ".join(parts)
        self.summary.setText(text)
        self.summary.setToolTip(text)

    def _enable(self) -> None:
        chosen = self.selected()
        states = {entry.state for entry in chosen}
        pending = bool(states) and states <= set(PENDING)
        self.by_id["up"].setEnabled(pending)
        self.by_id["down"].setEnabled(pending)
        self.by_id["skip"].setEnabled("waiting" in states or "running" in states)
        self.by_id["repeat"].setEnabled(bool(states & {"finished", "failed", "stopped", "skipped"}))
        self.by_id["seed"].setEnabled(bool(chosen))
        self.by_id["cancel"].setEnabled(bool(chosen))
        self.by_id["clear"].setEnabled(any(entry.state in ENDED for entry in self.table.rows))
        start, going = self.by_id["start"], self._queue.is_going
        start.setText(self.tr("&Hold") if going else self.tr("&Start"))
        start.setToolTip(
            self.tr("Let the present run end, and start no other")
            if going
            else self.tr("Run what waits, one after the other")
        )
        theme.set_icon(start, "pause" if going else "run")
        start.setEnabled(going or (bool(self._queue.waiting) and not self._queue.runs_elsewhere))

    def _open_menu(self, place: QPoint) -> None:
        menu = QMenu(self.view)
        for group in (("up", "down"), ("skip", "repeat", "seed"), ("cancel", "clear")):
            menu.addActions([self.by_id[id] for id in group])
            menu.addSeparator()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.view.viewport().mapToGlobal(place))


PANEL = PanelInfo(
    id="queue",
    title="Queue",
    summary="Runs that wait, one after the other: to order, skip, cancel and repeat.",
    area="right",
    order=51,
    factory=QueuePanel,
    help="comparisons-and-queue",
    shortcuts={
        "Alt+Up, Alt+Down": "Run the selected runs earlier or later",
        "Space": "Skip the selected runs; a running one is stopped, and the next one starts",
        "Del": "Take the selected runs off the queue",
        "Right-click": "Everything that can be done with the selected runs",
    },
)
