"""Menus over the bar that offer what can be played: checkpoints of runs, demonstrations, evaluations, any file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from widgets.shell.app_state import AppState
from widgets.viewport import menus, sources
from widgets.viewport.bar import ViewportBar
from widgets.viewport.sources import Recordings


class SourceMenus(QObject):
    """Looks on the disk in the background, then shows a menu over the bar's list of policies."""

    file_chosen = Signal(object, str)  # Path of a model or dataset, and what to call it: empty, its name
    evaluation_chosen = Signal(object, int)  # run folder, step

    def __init__(self, app_state: AppState, bar: ViewportBar) -> None:
        super().__init__()
        self._app_state, self._bar = app_state, bar

    def offer_checkpoints(self) -> None:
        """Offer the checkpoints of the newest runs; the application's state says which one was chosen."""
        self._app_state.background(partial(sources.checkpoints, self._app_state.runs_folder), self._show_checkpoints)

    def offer_recordings(self) -> None:
        """Offer demonstrations, files, and evaluations of the newest runs."""
        state = self._app_state
        work = partial(sources.recordings, state.experiment, state.registry, state.runs_folder)
        state.background(work, self._show_recordings)

    def _show_checkpoints(self, runs: list[tuple[str, Path, list[int]]]) -> None:
        if not runs:
            words = self.tr("There is no checkpoint yet. Run an experiment; its checkpoints can be played here.")
            self._app_state.toast.emit("info", words, "")
            return
        menus.pop_up(menus.checkpoints(self._bar, runs, self._app_state.checkpoint_chosen.emit), self._bar.policy)

    def _show_recordings(self, found: Recordings) -> None:
        emit_file, emit_evaluation = self.file_chosen.emit, self.evaluation_chosen.emit
        menu = menus.recordings(self._bar, *found, emit_file, self._open_file, emit_evaluation)
        menus.pop_up(menu, self._bar.policy)

    def _open_file(self) -> None:
        types = self.tr("Datasets and models ({0})").format("*.hdf5 *.h5 *.xml *.mjcf *.urdf")
        name, _ = QFileDialog.getOpenFileName(self._bar, self.tr("Open a model or dataset"), "", types)
        if name:
            self.file_chosen.emit(Path(name), "")
