"""The choice of a run whose strategy adapts to new tasks; it follows the runs folder and what the curves show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QSizePolicy

from widgets.adaptation.job import adapting_runs
from widgets.curves.overlay import Overlay, key_of
from widgets.shell.app_state import AppState

if TYPE_CHECKING:
    from studio.store.runs import RunInfo

LISTED = 200  # newest runs that are looked through


class RunChoice(QComboBox):
    """Lists the runs in the background, the newest first, while it is shown."""

    chosen = Signal(object)  # the run's folder; None: there is none

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state, self._overlay = app_state, Overlay.of(app_state)
        self.setAccessibleName(self.tr("Run"))
        self.setToolTip(self.tr("Runs of strategies that adapt to a new task, the newest first"))
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.currentIndexChanged.connect(lambda _: self.chosen.emit(self.currentData()))
        for changed in (app_state.runs_changed, app_state.registry_ready):
            changed.connect(self.refresh)
        app_state.runs_selected.connect(self._follow)

    def refresh(self) -> None:
        """List the runs again; the chosen one stays."""
        app_state = self._app_state
        if not (app_state.registry_is_ready and self.isVisible()):
            return
        folder, list_runs, registry = app_state.runs_folder, app_state.engine.list_runs, app_state.registry
        app_state.background(lambda: adapting_runs(list_runs(folder)[:LISTED], registry), self._take)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def _take(self, runs: list[RunInfo]) -> None:
        chosen = self.currentData()
        self.blockSignals(True)
        self.clear()
        for run in runs:
            title = self._app_state.title_of("strategies", run.strategy)
            self.addItem(self.tr("{0} · seed {1} · {2}").format(run.name, run.seed, title), key_of(run.folder))
            self.setItemData(self.count() - 1, str(run.folder), Qt.ItemDataRole.ToolTipRole)
        places = [self.findData(each) for each in (chosen, *reversed(self._overlay.shown)) if each is not None]
        self.setCurrentIndex(next((place for place in places if place >= 0), 0 if runs else -1))
        self.blockSignals(False)
        self.setEnabled(bool(runs))
        self.chosen.emit(self.currentData())

    def _follow(self, folders: list[Path]) -> None:
        """Choose the run that was shown in the curves last."""
        places = [self.findData(key_of(folder)) for folder in reversed(folders)]
        if (place := next((place for place in places if place >= 0), -1)) >= 0:
            self.setCurrentIndex(place)
