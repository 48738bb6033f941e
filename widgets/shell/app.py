"""Opens the window, or takes a picture of it without a display."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QCoreApplication, QEventLoop, QSettings, QTimer
from PySide6.QtWidgets import QApplication

from studio import paths
from studio.cli.qt_platform import choose_drawing_platform
from studio.errors import StudioError
from studio.experiment import Experiment
from studio.registry import Registry
from widgets.shell.app_state import AppState
from widgets.shell.main_window import MainWindow
from widgets.style import theme

PATIENCE_S = 60.0  # a picture waits at most this long for its panels
SETTLE_S = 2.5  # and this long after they have fallen quiet, for the viewport's first frames


def application() -> QApplication:
    """Return the process's only QApplication, with the studio's look."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication(sys.argv[:1])
    app.setApplicationName("transfer-studio")
    app.setApplicationDisplayName("Transfer Studio")
    app.setOrganizationName("transfer-studio")
    theme.apply(app)
    return app


def main(experiment: Path | None = None, runs_folder: Path | None = None) -> int:
    """Open the window and stay until it is closed; return the exit status.

    Args:
        experiment: the YAML file to open; None opens the demo.
        runs_folder: where runs are kept; None is the program's own place.
    """
    # software GL draws on the render thread alone: its own threads would crowd training and the UI off the cores
    os.environ.setdefault("LP_NUM_THREADS", "0")
    app = application()
    app_state = AppState(runs_folder)
    catch_everything(app_state)
    window = MainWindow(app_state, QSettings())
    _load_into(window, experiment or paths.assets() / "experiments" / "demo.yaml", quiet=experiment is None)
    # Python's own signal handlers run between two ticks of the window's state timer
    signal.signal(signal.SIGINT, lambda *_: window.close())
    window.show()
    QTimer.singleShot(0, app_state, app_state.load_plugins)
    status = app.exec()
    sys.excepthook = sys.__excepthook__
    threading.excepthook = threading.__excepthook__
    return status


def screenshot(
    path: Path,
    experiment: Path | Experiment | None = None,
    run_folders: Sequence[Path] = (),
    size: tuple[int, int] = (1440, 900),
    scheme: theme.Scheme | None = None,
    runs_folder: Path | None = None,
    registry: Registry | None = None,
) -> Path:
    """Render the whole window to a picture, with the given runs shown; no display is needed.

    Raises:
        StudioError: the experiment cannot be read, or the picture cannot be written.
    """
    if QCoreApplication.instance() is None:
        choose_drawing_platform()
    app = application()
    theme.force(scheme)
    if runs_folder is None and run_folders:
        runs_folder = Path(run_folders[0]).parent
    app_state = AppState(runs_folder, registry=registry)
    window = MainWindow(app_state, goes_on=False)
    try:
        window.resize(*size)
        if experiment is None and run_folders:
            experiment = Path(run_folders[0]) / "experiment.yaml"
        if isinstance(experiment, Path):
            experiment = Experiment.load(experiment)
        if experiment is not None:
            app_state.document.open(experiment)
        window.show()
        app_state.load_plugins()
        _settle(app, app_state)
        if run_folders:
            app_state.runs_selected.emit([Path(folder) for folder in run_folders])
            _settle(app, app_state)
        picture = window.grab()
        if not picture.save(str(path)):
            raise StudioError(
                "The screenshot cannot be written.", str(path), "Choose another folder, and a name that ends in .png."
            )
        return Path(path)
    finally:
        window.close()
        theme.force(None)


def catch_everything(app_state: AppState) -> None:
    """Unforeseen exceptions become a toast and a line on stderr; the window lives on."""

    def caught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        if isinstance(error, Exception):
            app_state.report(error.with_traceback(trace), QCoreApplication.translate("app", "Unexpected error"))

    sys.excepthook = caught
    # the signal is queued to the UI thread where it comes from another
    threading.excepthook = lambda args: caught(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)


def _load_into(window: MainWindow, path: Path, quiet: bool) -> None:
    """A small file, read before the window is shown so that it opens complete."""
    if quiet and not path.is_file():
        return
    try:
        experiment = Experiment.load(path)
    except StudioError as error:
        window.app_state.report(error)
        return
    window.app_state.document.open(experiment, path)


def _settle(app: QApplication, app_state: AppState) -> None:
    """Let the panels work until they are quiet."""
    started = quiet = time.monotonic()
    while time.monotonic() - started < PATIENCE_S:
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)
        time.sleep(0.01)
        if not app_state.is_idle:
            quiet = time.monotonic()
        elif time.monotonic() - quiet > SETTLE_S:
            return
