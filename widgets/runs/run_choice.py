"""The choice of one run, which follows the runs folder and what the curves show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QSizePolicy

from widgets.curves.overlay import Overlay, key_of
from widgets.shell.app_state import AppState

if TYPE_CHECKING:
    from studio.store.runs import RunInfo

LISTED = 200  # newest runs that are looked through


class RunChoice(QComboBox):
    """Lists the runs in the background, the newest first, while it is shown.

    Args:
        tip: says which runs they are.
        kept: returns those of the runs that are listed, in the background; None: all are.
        follows_live: whether a run that starts in the window is chosen.
    """

    chosen = Signal(object)  # the run's folder, also where it is the same as before; None: there is none

    def __init__(
        self,
        app_state: AppState,
        tip: str,
        kept: Callable[[Sequence[RunInfo]], list[RunInfo]] | None = None,
        follows_live: bool = False,
    ) -> None:
        super().__init__()
        self._app_state, self._overlay = app_state, Overlay.of(app_state)
        self._kept, self._follows_live = kept, follows_live
        self.setAccessibleName(self.tr("Run"))
        self.setToolTip(tip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.currentIndexChanged.connect(lambda _: self.chosen.emit(self.currentData()))
        for changed in (app_state.runs_changed, app_state.registry_ready):
            changed.connect(self.refresh)
        app_state.runs_selected.connect(self._follow)

    def refresh(self) -> None:
        """List the runs again; the chosen one stays."""
        app_state, kept = self._app_state, self._kept
        if not (app_state.registry_is_ready and self.isVisible()):
            return
        folder, list_runs = app_state.runs_folder, app_state.engine.list_runs

        def read() -> list[RunInfo]:
            runs = list_runs(folder)[:LISTED]
            return runs if kept is None else kept(runs)

        app_state.background(read, self._take)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def _take(self, runs: list[RunInfo]) -> None:
        live = self._overlay.live if self._follows_live and self._app_state.is_running else None
        wanted = (live, self.currentData(), *reversed(self._overlay.shown))
        self.blockSignals(True)
        self.clear()
        for run in runs:
            title = self._app_state.title_of("strategies", run.strategy)
            self.addItem(self.tr("{0} · seed {1} · {2}").format(run.name, run.seed, title), key_of(run.folder))
            self.setItemData(self.count() - 1, str(run.folder), Qt.ItemDataRole.ToolTipRole)
        places = [self.findData(each) for each in wanted if each is not None]
        self.setCurrentIndex(next((place for place in places if place >= 0), 0 if runs else -1))
        self.blockSignals(False)
        self.setEnabled(bool(runs))
        self.chosen.emit(self.currentData())

    def _follow(self, folders: list[Path]) -> None:
        """Choose the run that was shown in the curves last."""
        places = [self.findData(key_of(folder)) for folder in reversed(folders)]
        if (place := next((place for place in places if place >= 0), -1)) >= 0:
            self.setCurrentIndex(place)
