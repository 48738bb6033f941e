"""The Runs panel: every run in the runs folder, to sort, search, compare, draw, export, resume and delete."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QItemSelectionModel, QPoint, Qt, QTimer, QUrl
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QStackedLayout,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from studio.contracts import PanelInfo
from studio.experiment import Experiment
from widgets.curves.overlay import Overlay, key_of
from widgets.runs import table
from widgets.runs.delegates import StateDelegate, SuccessDelegate, SwatchDelegate
from widgets.runs.disk import export_runs, fingerprint, list_runs, trash
from widgets.runs.table import ALIVE, CREATED, INFO, SHOWN, STATE, SUCCESS, RunFilter, RunTable, rate, summary
from widgets.shell.app_state import AppState
from widgets.style import theme

POLL_MS = 5_000  # runs of other programs
PROGRESS_SECONDS = 0.5  # between two drawings of the running session's progress


class RunsPanel(QWidget):
    """See the module."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self.app_state = app_state
        self.overlay = Overlay.of(app_state)
        self.table = RunTable(self.overlay, self)
        self.proxy = RunFilter(self.table, self)
        self.view = self._make_view()
        self._listing = self._refresh_again = self._announcing = False
        self._fingerprint: tuple[Any, ...] | None = None
        self._progress_drawn = (0.0, "")  # when the progress was last drawn, and of which stage
        self.actions_: dict[str, QAction] = {}
        self._make_actions()
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search runs"))
        self.search.setAccessibleName(self.tr("Search runs"))
        self.search.setToolTip(self.tr("Finds runs that contain all words, in any column"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.proxy.search)
        self.search.textChanged.connect(self._summarize)
        self.empty = QLabel(self.tr("No runs yet. Press Run to start the first one."))
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        self.empty.setProperty("role", "muted")
        self.summary = QLabel()
        self.summary.setProperty("role", "muted")
        self.summary.setFont(theme.small_font(self.font()))
        self.summary.setMinimumWidth(1)  # a long summary must not widen the dock
        self.stack = QStackedLayout()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.SMALL)
        column.setSpacing(theme.SMALL)
        column.addLayout(self._bar())
        column.addLayout(self.stack, 1)
        column.addWidget(self.summary)
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._look)
        app_state.runs_changed.connect(self.refresh)
        app_state.progress.connect(self._progress)
        app_state.running_changed.connect(lambda _: self._enable())
        self.view.selectionModel().selectionChanged.connect(lambda *_: self._selected())
        theme.on_change(self, self.view.viewport().update)
        self._selected()
        self.refresh()

    # -- making

    def _make_view(self) -> QTableView:
        view = QTableView()
        view.setModel(self.proxy)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.setSortingEnabled(True)
        view.sortByColumn(CREATED, Qt.SortOrder.DescendingOrder)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setTabKeyNavigation(False)
        view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.setAccessibleName(self.tr("Runs"))
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 9)
        head = view.horizontalHeader()
        head.setSectionsMovable(True)
        head.setHighlightSections(False)
        head.setMinimumSectionSize(24)
        head.setStretchLastSection(True)
        view.setItemDelegateForColumn(SHOWN, SwatchDelegate(self.overlay, view))
        view.setItemDelegateForColumn(SUCCESS, SuccessDelegate(view))
        view.setItemDelegateForColumn(STATE, StateDelegate(view))
        wide = self.fontMetrics().horizontalAdvance
        widest = ["", "full_finetuning", "0.00mmmmm", "interrupted", "Episodes ", "Seed ", "experiment"]
        widest += ["franka_7dof → ur5_6dof", "On source ", "Duration ", "10 min ago"]
        for column, text in enumerate(widest):
            view.setColumnWidth(column, 26 if column == SHOWN else wide(text) + (28 if column == STATE else 16))
        view.customContextMenuRequested.connect(self._menu)
        view.doubleClicked.connect(lambda index: self.show_in_curves() if index.column() != SHOWN else None)
        return view

    def _make_actions(self) -> None:
        def add(id: str, text: str, call: Callable[[], Any], key: Any = None, icon: str = "") -> None:
            action = QAction(text, self)
            action.triggered.connect(lambda _=False: call())
            if key is not None:
                action.setShortcut(QKeySequence(key))
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
                self.view.addAction(action)
            if icon:
                theme.set_icon(action, icon)
            self.actions_[id] = action

        key = Qt.Key
        copy = QKeySequence.StandardKey.Copy
        add("show", self.tr("&Show in curves"), self.show_in_curves, key.Key_Return, "compare")
        add("toggle", self.tr("&Toggle in curves"), self.toggle, key.Key_Space)
        add("load", self.tr("&Load its experiment"), self.load_experiment, icon="open")
        add("resume", self.tr("&Resume"), self.resume, icon="run")
        add("folder", self.tr("&Open folder"), self.open_folder, icon="folder")
        add("export", self.tr("&Export adapter…"), self.ask_export, icon="save")
        add("path", self.tr("Copy &path"), self.copy_path)
        add("markdown", self.tr("Copy as &Markdown table"), partial(self.copy_table, table.as_markdown), copy)
        add("csv", self.tr("Copy as &CSV"), partial(self.copy_table, table.as_csv))
        add("delete", self.tr("&Delete to trash…"), self.ask_delete, key.Key_Delete, "trash")
        for id, help in {
            "show": self.tr("Show only the selected runs in the curves (Enter)"),
            "toggle": self.tr("Show or hide the selected runs in the curves (Space)"),
            "load": self.tr("Load the run's experiment into the panels, to change it or run it again"),
            "resume": self.tr("Resume a stopped or interrupted run from its last checkpoint"),
            "folder": self.tr("Open the run's folder in the file manager"),
            "export": self.tr("Export the adapter, or the whole policy if there is none, for use in other tools"),
            "path": self.tr("Copy the path of the run's folder"),
            "markdown": self.tr("Copy a comparison table of the selected runs"),
            "csv": self.tr("Copy the results of the selected runs at full precision"),
            "delete": self.tr("Move the selected runs to the trash (Del)"),
        }.items():
            self.actions_[id].setToolTip(help)

    def _bar(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.HAIR)
        row.addWidget(self.search, 1)
        row.addSpacing(theme.SMALL)
        for id in ("show", "load", "resume", "folder", "export", "delete"):
            button = QToolButton()
            button.setDefaultAction(self.actions_[id])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            button.setAccessibleName(self.actions_[id].text().replace("&", ""))
            row.addWidget(button)
        return row

    # -- what comes

    def refresh(self) -> None:
        """Read the runs again, in the background; a request during a reading is served after it."""
        if self._announcing:
            return
        if self._listing:
            self._refresh_again = True
            return
        self._listing = True
        folder = self.app_state.runs_folder

        def done(result: tuple[tuple[Any, ...], list[Any]]) -> None:
            if not isValid(self):
                return
            self._listing = False
            self._fingerprint, runs = result
            self._take(runs)
            if self._refresh_again:
                self._refresh_again = False
                self.refresh()

        def failed(error: Exception) -> None:
            if isValid(self):
                self._listing = False
                self.app_state.report(error, self.tr("The runs cannot be listed"))

        self.app_state.background(lambda: (fingerprint(folder), list_runs(folder)), done, failed)

    def _take(self, runs: list[Any]) -> None:
        before = {key_of(run.folder): run for run in self.table.rows}
        self.table.set_runs(runs)
        self.stack.setCurrentIndex(1 if runs else 0)
        self._selected()
        foreign = [r for r in runs if before.get(key_of(r.folder)) != r and key_of(r.folder) != self.overlay.live]
        if before and any(self.overlay.is_shown(run.folder) for run in foreign):
            self._announcing = True  # another program's run grew: whoever draws it wants to know, and we know already
            self.app_state.runs_changed.emit()
            self._announcing = False

    def _look(self) -> None:
        """Asks in the background whether anything changed on disk, and reads only then."""
        self.table.tick()
        folder, known = self.app_state.runs_folder, self._fingerprint

        def done(found: tuple[Any, ...]) -> None:
            if isValid(self) and found != known:
                self.refresh()

        if not self._listing:
            self.app_state.background(lambda: fingerprint(folder), done)

    def _progress(self, progress: Any) -> None:
        if progress is None or self.overlay.live is None:
            return
        now, (when, stage) = time.monotonic(), self._progress_drawn
        if now - when >= PROGRESS_SECONDS or stage != progress.stage or progress.stage_fraction >= 1:
            self._progress_drawn = (now, progress.stage)
            self.table.set_progress(self.overlay.live, progress.stage, progress.stage_fraction)

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._poll.start()

    def hideEvent(self, event: Any) -> None:
        super().hideEvent(event)
        self._poll.stop()

    # -- what is chosen

    def selected(self) -> list[Any]:
        """The chosen runs, in the table's order."""
        rows = sorted(self.view.selectionModel().selectedRows(SHOWN), key=lambda index: index.row())
        return [index.data(INFO) for index in rows]

    def folders(self) -> list[Path]:
        """Their folders."""
        return [Path(run.folder) for run in self.selected()]

    def select(self, folders: list[Path]) -> None:
        """Chooses runs by their folders."""
        wanted = {key_of(f) for f in folders}
        model = self.view.selectionModel()
        model.clearSelection()
        for row in range(self.proxy.rowCount()):
            index = self.proxy.index(row, SHOWN)
            if key_of(index.data(INFO).folder) in wanted:
                model.select(index, QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows)

    def _selected(self) -> None:
        self._enable()
        self._summarize()

    def _enable(self) -> None:
        chosen = self.selected()
        alive = any(run.state in ALIVE for run in chosen)
        one = len(chosen) == 1
        for id in ("show", "toggle", "folder", "path", "markdown", "csv"):
            self.actions_[id].setEnabled(bool(chosen))
        self.actions_["load"].setEnabled(one)
        can_resume = one and chosen[0].state in ("stopped", "interrupted") and not self.app_state.is_running
        self.actions_["resume"].setEnabled(can_resume)
        self.actions_["export"].setEnabled(bool(chosen) and all(run.state == "finished" for run in chosen))
        adapters = not chosen or any(run.has_adapter for run in chosen)
        self.actions_["export"].setText(self.tr("&Export adapter…") if adapters else self.tr("&Export policy…"))
        self.actions_["delete"].setEnabled(bool(chosen) and not alive)

    def _summarize(self) -> None:
        chosen = self.selected()
        if not chosen:
            total, seen = self.table.rowCount(), self.proxy.rowCount()
            text = self.tr("1 run") if total == 1 else self.tr("%1 runs").replace("%1", str(total))
            if seen != total:
                text = self.tr("%1 of %2 runs").replace("%1", str(seen)).replace("%2", str(total))
        else:
            text = self.tr("%1 selected").replace("%1", str(len(chosen)))
            for label, count, mean, low, high in summary(chosen)[:4]:
                spread = f" ({rate(low)} to {rate(high)})" if count > 1 else ""
                times = f" ×{count}" if count > 1 else ""
                text += f"  ·  {label}{times}  {rate(mean)}{spread}"
        self.summary.setText(text)
        self.summary.setToolTip(text if chosen else "")

    # -- what is asked

    def show_in_curves(self) -> None:
        """Draws just the chosen runs."""
        self.overlay.select(self.folders())

    def toggle(self) -> None:
        """Adds the chosen runs to the curves, or takes them away when all of them are there."""
        folders = self.folders()
        self.overlay.set_shown(folders, not all(self.overlay.is_shown(f) for f in folders))

    def load_experiment(self) -> None:
        """Puts the run's experiment into the forms."""
        path = self.folders()[0] / "experiment.yaml"

        def done(experiment: Experiment) -> None:
            self.app_state.set_experiment(experiment)
            self.app_state.toast.emit(
                "info", self.tr("Loaded the experiment of %1").replace("%1", path.parent.name), ""
            )

        self.app_state.background(partial(Experiment.load, path), done)

    def resume(self) -> None:
        """Goes on with the run."""
        self.app_state.resume(self.folders()[0])

    def open_folder(self) -> None:
        """Shows the runs' files in the system's file manager."""
        for folder in self.folders()[:5]:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(key_of(folder))))

    def ask_export(self) -> None:
        """Asks for a folder and exports the runs into it."""
        to = QFileDialog.getExistingDirectory(self, self.tr("Export to folder"))
        if to:
            self.export(Path(to))

    def export(self, to: Path) -> None:
        """Exports each chosen run into a folder of its own in ``to``."""
        folders = self.folders()

        def done(made: list[Path]) -> None:
            said = self.tr("Exported to %1") if len(made) == 1 else self.tr("Exported %2 runs to %1")
            where = made[0] if len(made) == 1 else to
            self.app_state.toast.emit("info", said.replace("%1", str(where)).replace("%2", str(len(made))), "")

        self.app_state.background(partial(export_runs, folders, to), done)

    def ask_delete(self) -> None:
        """Asks, and moves the runs to the trash."""
        folders = self.folders()
        many = self.tr("Move %1 runs to the trash?").replace("%1", str(len(folders)))
        one = self.tr("Move %1 to the trash?").replace("%1", folders[0].name)
        answer = QMessageBox.question(self, self.tr("Delete runs"), one if len(folders) == 1 else many)
        if answer == QMessageBox.StandardButton.Yes:
            self.delete(folders)

    def delete(self, folders: list[Path]) -> None:
        """Moves runs to the trash; those that are drawn leave the curves."""
        if any(self.overlay.is_shown(f) for f in folders):
            self.overlay.set_shown(folders, False)

        def failed(error: Exception) -> None:
            self.app_state.report(error, self.tr("Not all runs could be deleted"))
            self.app_state.runs_changed.emit()

        self.app_state.background(partial(trash, folders), lambda _: self.app_state.runs_changed.emit(), failed)

    def copy_path(self) -> None:
        """Puts the folders on the clipboard, one a line."""
        QGuiApplication.clipboard().setText("\n".join(str(key_of(f)) for f in self.folders()))

    def copy_table(self, form: Callable[[list[Any]], str]) -> None:
        """Puts the chosen runs on the clipboard as a table."""
        QGuiApplication.clipboard().setText(form(self.selected()))

    def _menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        groups = (
            ("show", "toggle"),
            ("load", "resume"),
            ("folder", "export"),
            ("path", "markdown", "csv"),
            ("delete",),
        )
        for group in groups:
            menu.addActions([self.actions_[id] for id in group])
            menu.addSeparator()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.view.viewport().mapToGlobal(place))


PANEL = PanelInfo(
    id="runs",
    title="Runs",
    summary="All runs, to sort, search, compare, plot, export, resume and delete.",
    area="right",
    order=50,
    factory=RunsPanel,
)
