"""The window's commands: their actions, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from html import escape
from pathlib import Path

from PySide6.QtCore import QObject, QSettings
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QMainWindow,
    QMenu,
)

from studio import paths
from studio.errors import StudioError
from studio.experiment import Experiment
from widgets.shell import opening
from widgets.shell.app_state import AppState
from widgets.shell.appearance import Appearance
from widgets.style import theme

PLANNING_MS = 8_000  # longest time that the status bar shows the message of a comparison's checks
EXAMPLES = paths.assets() / "experiments"


class Commands(QObject):
    """Every command of the window, once. The palette lists the same actions.

    Args:
        window: which the actions belong to.
        app_state: what the commands act on.
        docks: of the panels, which can be shown and hidden.
        open_path: opens a file or a run folder.
        reset_layout: moves every panel back to its default place.
        settings: where the choice of light or dark is kept; None keeps nothing.
    """

    def __init__(
        self,
        window: QMainWindow,
        app_state: AppState,
        docks: Mapping[str, QDockWidget],
        open_path: Callable[[Path], None],
        reset_layout: Callable[[], None],
        settings: QSettings | None = None,
    ) -> None:
        super().__init__(window)
        self._window, self._app_state, self._docks, self._open_path = window, app_state, docks, open_path
        make = self._make
        self.run = make(self.tr("&Run"), self.tr("Run this experiment"), app_state.run, "run", "F5", "accent_text")
        self.pause = make(self.tr("&Pause"), self.tr("Pause or continue the run"), self._pause, "pause", "F6")
        self.stop = make(
            self.tr("&Stop"), self.tr("Save a checkpoint and stop"), app_state.sessions.stop, "stop", "Shift+F5"
        )
        self.compare = make(
            self.tr("&Compare"),
            self.tr("Run every strategy, data size and seed of the comparison"),
            self._compare,
            "compare",
            "Ctrl+F5",
        )
        self.new = make(self.tr("&New"), self.tr("New experiment with default settings"), self._new, "", "Ctrl+N")
        self.open = make(
            self.tr("&Open…"),
            self.tr("Open an experiment (YAML), a dataset (HDF5) or a robot (MJCF, URDF)"),
            self._open,
            "open",
            "Ctrl+O",
        )
        self.open_run = make(
            self.tr("Open r&un folder…"), self.tr("Open a run's folder"), self._open_run, "", "Ctrl+Shift+O"
        )
        self.examples = {
            file: make(
                file.stem.replace("_", " "),
                self.tr("Open the example {file}").format(file=file.name),
                partial(open_path, file),
            )
            for file in sorted(EXAMPLES.glob("*.yaml"))
        }
        self.examples_menu = QMenu(self.tr("Open an &example"), window)
        self.examples_menu.setToolTipsVisible(True)
        self.examples_menu.addActions([*self.examples.values()])
        self.save = make(
            self.tr("&Save as YAML…"), self.tr("Save this experiment to a YAML file"), self._save, "save", "Ctrl+S"
        )
        self.copy_line = make(
            self.tr("Copy as command &line"),
            self.tr("Copy the shell command that runs this experiment"),
            self._copy_line,
            "command",
            "Ctrl+Shift+C",
        )
        self.copy_yaml = make(
            self.tr("Copy as &YAML"), self.tr("Copy the whole experiment as YAML text"), self._copy_yaml, "copy"
        )
        self.quit = make(self.tr("&Quit"), self.tr("Close the studio"), window.close, "", "Ctrl+Q")
        self.reset_layout = make(
            self.tr("&Reset layout"),
            self.tr("Move every panel back to its default place"),
            reset_layout,
            "layout",
        )
        self.palette = make(
            self.tr("&Find a command…"), self.tr("Find any command by its name"), self._palette, "search", "Ctrl+K"
        )
        self.appearance = Appearance(self, settings)
        self.help = make(
            self.tr("Help on this &panel"),
            self.tr("Explain the active panel, with its keys and mouse gestures"),
            lambda: None,  # these three are the window's, which knows which panel has the focus
            "",
            "F1",
        )
        self.contents = make(self.tr("&Contents"), self.tr("All pages of the help"), lambda: None)
        self.keys = make(
            self.tr("&Keys and mouse"),
            self.tr("Keys and mouse gestures of the window and of every panel"),
            lambda: None,
            "",
            "Ctrl+F1",
        )
        self.pause.setCheckable(True)
        app_state.registry_ready.connect(self._describe_examples)
        for signal in (
            app_state.running_changed,
            app_state.state_changed,
            app_state.problems_changed,
            app_state.registry_ready,
        ):
            signal.connect(self._enable)
        self._enable()

    def all(self) -> list[QAction]:
        """Every command, and the panels' own toggles."""
        return [*self.findChildren(QAction), *self.toggles]

    @property
    def toggles(self) -> list[QAction]:
        """The panels' own commands: each shows or hides its panel."""
        return [dock.toggleViewAction() for dock in self._docks.values()]

    def _make(self, text: str, help: str, call: object, icon: str = "", keys: str = "", tint: str = "text") -> QAction:
        action = QAction(text, self)
        action.setStatusTip(help)
        action.setToolTip(
            f"{help} ({QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)})" if keys else help
        )
        if keys:
            action.setShortcut(QKeySequence(keys))
        if icon:
            theme.set_icon(action, icon, tint)
        action.triggered.connect(lambda _checked=False: call())  # type: ignore[operator]
        self._window.addAction(action)
        return action

    def _enable(self, *_: object) -> None:
        app_state = self._app_state
        reason = app_state.why_not_run
        running = app_state.is_running
        run = self.tr("Add this experiment to the queue: it runs after what waits there (F5)")
        compare = self.tr("Add every strategy, data size and seed of the comparison to the queue (Ctrl+F5)")
        for action, help in (
            (self.run, run if running else self.tr("Run this experiment (F5)")),
            (
                self.compare,
                compare if running else self.tr("Run every strategy, data size and seed of the comparison (Ctrl+F5)"),
            ),
        ):
            action.setEnabled(not reason)
            action.setToolTip(reason or help)
        self.run.setIconText(self.tr("Queue") if running else self.tr("Run"))
        going = app_state.is_running and app_state.state != "stopping"
        self.pause.setEnabled(going)
        self.stop.setEnabled(going)
        self.pause.setChecked(app_state.is_running and app_state.state == "paused")
        self.pause.setIconText(self.tr("Continue") if self.pause.isChecked() else self.tr("Pause"))

    def _pause(self) -> None:
        if self._app_state.state == "paused":
            self._app_state.sessions.unpause()
        else:
            self._app_state.sessions.pause()
        self._enable()  # the button follows the session, not the click

    def _compare(self) -> None:
        words = self.tr("Checking which runs of the comparison exist, and whether the others can start …")
        self._window.statusBar().showMessage(words, PLANNING_MS)
        self._app_state.compare()

    def _new(self) -> None:
        self._app_state.document.open(Experiment())

    def _open(self) -> None:
        start = self._app_state.folders.start("experiments")
        name, _ = QFileDialog.getOpenFileName(
            self._window, self.tr("Open"), start, self.tr("All supported files ({types})").format(types=opening.FILTER)
        )
        if name:
            self._app_state.folders.remember("experiments", Path(name).parent)
            self._open_path(Path(name))

    def _open_run(self) -> None:
        name = QFileDialog.getExistingDirectory(self._window, self.tr("Open run"), str(self._app_state.runs_folder))
        if name:
            self._open_path(Path(name))

    def _describe_examples(self) -> None:
        """Show the examples' titles, and what each of them asks, once their files have been read."""

        def done(found: dict[Path, Experiment]) -> None:
            for file, experiment in found.items():
                action = self.examples[file]
                action.setText(experiment.heading.replace("&", "&&"))
                action.setToolTip(f"<p>{escape(experiment.description)}</p>")  # rich text is wrapped
                action.setStatusTip(self.tr("Open the example {file}").format(file=file.name))
            by_title = sorted(self.examples.values(), key=lambda action: action.text().casefold())
            self.examples_menu.clear()
            self.examples_menu.addActions(by_title)

        def read() -> dict[Path, Experiment]:
            found = {}
            for file in self.examples:
                with suppress(StudioError):  # opening it says what is wrong; the others have their titles
                    found[file] = Experiment.load(file)
            return found

        self._app_state.background(read, done)

    def _save(self) -> None:
        path = self._ask_path()
        if path is not None:
            self.save_to(path)

    def save_before_leaving(self) -> bool:
        """Save the experiment to its file, or to one that is asked for. Return False where that did not happen."""
        app_state = self._app_state
        path = app_state.document.own_path or self._ask_path()
        if path is None:
            return False
        try:
            app_state.document.mark_saved(app_state.experiment, opening.write(app_state.experiment, path))
        except StudioError as error:
            app_state.report(error)
            return False
        return True

    def _ask_path(self) -> Path | None:
        document = self._app_state.document
        folders, name = self._app_state.folders, f"{document.experiment.name}.yaml"
        start = str(document.own_path or folders.start("experiments", name))
        name, _ = QFileDialog.getSaveFileName(
            self._window, self.tr("Save as YAML"), start, self.tr("Experiment (*.yaml *.yml)")
        )
        if not name:
            return None
        folders.remember("experiments", Path(name).parent)
        return Path(name)

    def save_to(self, path: Path) -> None:
        """Write the experiment in the background and show where."""
        experiment = self._app_state.experiment

        def done(written: Path) -> None:
            self._app_state.document.mark_saved(experiment, written)
            self._window.statusBar().showMessage(self.tr("Saved to {path}").format(path=written), 5000)

        self._app_state.background(partial(opening.write, experiment, path), done)

    def _copy_line(self) -> None:
        document = self._app_state.document
        QGuiApplication.clipboard().setText(opening.command_line(document.experiment, document.saved, document.path))
        self._window.statusBar().showMessage(self.tr("Command line copied to the clipboard"), 4000)

    def _copy_yaml(self) -> None:
        QGuiApplication.clipboard().setText(self._app_state.experiment.to_yaml())
        self._window.statusBar().showMessage(self.tr("Experiment copied to the clipboard"), 4000)

    def _palette(self) -> None:
        from widgets.shell.palette import Palette

        Palette(self._window, self.all()).open()
