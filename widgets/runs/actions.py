"""What can be done with the selected runs: their actions, for buttons, keys and the context menu."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QPoint, Qt, QUrl
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMenu, QMessageBox

from studio.experiment import Experiment
from widgets.curves.overlay import Overlay, key_of
from widgets.forms.numbers import INT_LIMIT
from widgets.runs import report
from widgets.runs.group import ALIVE
from widgets.runs.report import rate
from widgets.runs.row_text import SHOWN
from widgets.runs.view import RunView
from widgets.shell.app_state import AppState
from widgets.shell.opening import short_name
from widgets.style import theme


class RunActions(QObject):
    """The actions on the runs that are selected in a view, by id."""

    def __init__(self, app_state: AppState, overlay: Overlay, view: RunView) -> None:
        super().__init__(view)
        self._app_state, self._overlay, self._view = app_state, overlay, view
        self.by_id: dict[str, QAction] = {}
        self._make_actions()
        view.selectionModel().selectionChanged.connect(lambda *_: self.enable())
        view.customContextMenuRequested.connect(self._open_menu)
        view.doubleClicked.connect(lambda index: self.show_in_curves() if index.column() != SHOWN else None)
        self.enable()

    def enable(self) -> None:
        """Enable what can be done with the selected runs."""
        chosen = self._view.selected()
        alive = any(run.state in ALIVE for run in chosen)
        one = len(chosen) == 1
        for id in ("show", "toggle", "folder", "path", "markdown", "csv"):
            self.by_id[id].setEnabled(bool(chosen))
        self.by_id["load"].setEnabled(one)
        free = one and not alive
        self.by_id["resume"].setEnabled(free and chosen[0].state != "finished")
        self.by_id["lengthen"].setEnabled(free)
        self.by_id["score"].setEnabled(one and chosen[0].state == "finished")
        self.by_id["export"].setEnabled(bool(chosen) and all(run.state == "finished" for run in chosen))
        adapters = not chosen or any(run.has_adapter for run in chosen)
        self.by_id["export"].setText(self.tr("&Export adapter…") if adapters else self.tr("&Export policy…"))
        self.by_id["delete"].setEnabled(bool(chosen) and not alive)

    def show_in_curves(self) -> None:
        """Show only the selected runs in the curves."""
        self._overlay.select(self._view.folders())

    def toggle(self) -> None:
        """Add the selected runs to the curves, or remove them if all of them are there."""
        folders = self._view.folders()
        self._overlay.set_shown(folders, not all(self._overlay.is_shown(f) for f in folders))

    def load_experiment(self) -> None:
        """Load the run's experiment into the panels."""
        path = self._view.folders()[0] / "experiment.yaml"

        def done(experiment: Experiment) -> None:
            self._app_state.document.open(experiment, path)
            if self._app_state.document.path == path:
                words = self.tr("Loaded the experiment of %1").replace("%1", path.parent.name)
                self._app_state.toast.emit("info", words, "")

        self._app_state.background(partial(Experiment.load, path), done)

    def resume(self) -> None:
        """Resume the run."""
        self._app_state.resume(self._view.folders()[0])

    def ask_lengthen(self) -> None:
        """Ask for a larger budget and continue the run with it."""
        folder = self._view.folders()[0]

        def ask(experiment: Experiment) -> None:
            present = experiment.budget.iterations
            words = self.tr("Iterations in all (the run was planned with {count}):").format(count=f"{present:,}")
            title = self.tr("Continue {name}").format(name=folder.name)
            wanted, accepted = QInputDialog.getInt(
                self._view, title, words, min(2 * present, INT_LIMIT), present + 1, INT_LIMIT
            )
            if accepted:
                self._app_state.resume(folder, wanted)

        self._app_state.background(partial(Experiment.load, folder / "experiment.yaml"), ask)

    def score(self) -> None:
        """Score the run's policy on the target of the experiment being edited; a toast shows the result."""
        folder, app_state = self._view.folders()[0], self._app_state
        experiment, target = app_state.experiment, app_state.experiment.target
        place = self.tr("{task} on {robot}").format(task=short_name(target.task), robot=short_name(target.embodiment))
        words = self.tr("Scoring {run}: {place}, {count} episodes. The result is shown here.")
        words = words.format(run=folder.name, place=place, count=experiment.evaluation.episodes)
        app_state.toast.emit("info", words, "")

        def done(found: Any) -> None:
            digits = (rate(value, found.measure) for value in (found.score, found.low, found.high))
            words = self.tr("{run}, {place}: {measure} {score} [{low}, {high}] over {count} episodes.")
            names = dict(zip(("score", "low", "high"), digits, strict=True))
            words = words.format(run=folder.name, place=place, measure=found.measure, count=found.episodes, **names)
            app_state.toast.emit("info", words, "")

        def work() -> Any:
            return app_state.engine.score_run(folder, experiment, app_state.registry, lambda: app_state.is_open)

        def failed(error: Exception) -> None:
            app_state.report(error, self.tr("{run} cannot be scored").format(run=folder.name))

        app_state.background(work, done, failed)

    def open_folder(self) -> None:
        """Open the runs' folders in the file manager."""
        for folder in self._view.folders()[:5]:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(key_of(folder))))

    def ask_export(self) -> None:
        """Ask for a folder and export the runs into it."""
        folders = self._app_state.folders
        to = QFileDialog.getExistingDirectory(self._view, self.tr("Export to folder"), folders.start("exports"))
        if to:
            folders.remember("exports", Path(to))
            self.export(Path(to))

    def export(self, to: Path) -> None:
        """Export each selected run into a folder of its own in ``to``."""
        folders = self._view.folders()

        def done(made: list[Path]) -> None:
            said = self.tr("Exported to %1") if len(made) == 1 else self.tr("Exported %2 runs to %1")
            where = made[0] if len(made) == 1 else to
            self._app_state.toast.emit("info", said.replace("%1", str(where)).replace("%2", str(len(made))), "")

        self._app_state.background(partial(self._app_state.engine.export_runs, folders, to), done)

    def ask_delete(self) -> None:
        """Ask, then move the runs to the trash."""
        folders = self._view.folders()
        many = self.tr("Move %1 runs to the trash?").replace("%1", str(len(folders)))
        one = self.tr("Move %1 to the trash?").replace("%1", folders[0].name)
        answer = QMessageBox.question(self._view, self.tr("Delete runs"), one if len(folders) == 1 else many)
        if answer == QMessageBox.StandardButton.Yes:
            self.delete(folders)

    def delete(self, folders: list[Path]) -> None:
        """Move runs to the trash and remove them from the curves."""
        if any(self._overlay.is_shown(f) for f in folders):
            self._overlay.set_shown(folders, False)

        def failed(error: Exception) -> None:
            self._app_state.report(error, self.tr("Not all runs could be deleted"))
            self._app_state.runs_changed.emit()

        self._app_state.background(
            partial(self._app_state.engine.trash, folders), lambda _: self._app_state.runs_changed.emit(), failed
        )

    def copy_path(self) -> None:
        """Copy the folders, one per line."""
        QGuiApplication.clipboard().setText("\n".join(str(key_of(f)) for f in self._view.folders()))

    def copy_table(self, form: Callable[[list[Any]], str]) -> None:
        """Copy the selected runs as a table."""
        QGuiApplication.clipboard().setText(form(self._view.selected()))

    def _make_actions(self) -> None:
        def add(id: str, text: str, call: Callable[[], Any], key: Any = None, icon: str = "") -> None:
            action = QAction(text, self)
            action.triggered.connect(lambda _=False: call())
            if key is not None:
                action.setShortcut(QKeySequence(key))
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
                self._view.addAction(action)
            if icon:
                theme.set_icon(action, icon)
            self.by_id[id] = action

        key = Qt.Key
        copy = QKeySequence.StandardKey.Copy
        add("show", self.tr("&Show in curves"), self.show_in_curves, key.Key_Return, "compare")
        add("toggle", self.tr("&Toggle in curves"), self.toggle, key.Key_Space)
        add("load", self.tr("&Load its experiment"), self.load_experiment, icon="open")
        add("resume", self.tr("&Resume"), self.resume, icon="run")
        add("lengthen", self.tr("Continue for more &iterations…"), self.ask_lengthen)
        add("score", self.tr("Score on the &present target"), self.score)
        add("folder", self.tr("&Open folder"), self.open_folder, icon="folder")
        add("export", self.tr("&Export adapter…"), self.ask_export, icon="save")
        add("path", self.tr("Copy &path"), self.copy_path)
        add("markdown", self.tr("Copy as &Markdown table"), partial(self.copy_table, report.as_markdown), copy)
        add("csv", self.tr("Copy as &CSV"), partial(self.copy_table, report.as_csv))
        add("delete", self.tr("&Delete to trash…"), self.ask_delete, key.Key_Delete, "trash")
        for id, help in {
            "show": self.tr("Show only the selected runs in the curves (Enter)"),
            "toggle": self.tr("Show or hide the selected runs in the curves (Space)"),
            "load": self.tr("Load the run's experiment into the panels, to change it or run it again"),
            "resume": self.tr("Resume a stopped, failed or interrupted run from its last checkpoint"),
            "lengthen": self.tr("Continue the run with a larger budget of iterations, also a finished one"),
            "score": self.tr("Score the run's policy on the target of the experiment being edited"),
            "folder": self.tr("Open the run's folder in the file manager"),
            "export": self.tr("Export the adapter, or the whole policy if there is none, for use in other tools"),
            "path": self.tr("Copy the path of the run's folder"),
            "markdown": self.tr("Copy a comparison table of the selected runs"),
            "csv": self.tr("Copy the results of the selected runs at full precision"),
            "delete": self.tr("Move the selected runs to the trash (Del)"),
        }.items():
            self.by_id[id].setToolTip(help)

    def _open_menu(self, place: QPoint) -> None:
        menu = QMenu(self._view)
        groups = (
            ("show", "toggle"),
            ("load", "resume", "lengthen", "score"),
            ("folder", "export"),
            ("path", "markdown", "csv"),
            ("delete",),
        )
        for group in groups:
            menu.addActions([self.by_id[id] for id in group])
            menu.addSeparator()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self._view.viewport().mapToGlobal(place))
