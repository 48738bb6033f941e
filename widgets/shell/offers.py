"""Offers to continue what was left: a comparison that is not complete, or a run that was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject

from studio.experiment import Experiment
from widgets.shell import unfinished_comparison
from widgets.shell.app_state import AppState
from widgets.shell.toasts import Notice, Toasts


class Offers(QObject):
    """Makes one offer at the start, and one where a comparison is stopped. A run that starts withdraws them."""

    def __init__(self, app_state: AppState, toasts: Toasts) -> None:
        super().__init__(toasts)
        self._app_state, self._toasts = app_state, toasts
        app_state.registry_ready.connect(self._offer_unfinished)
        app_state.comparison_stopped.connect(self._offer_comparison)
        app_state.running_changed.connect(self._withdraw)

    def _withdraw(self, running: bool) -> None:
        if running:
            self._toasts.withdraw_offers()

    def _offer_unfinished(self) -> None:
        self._offer_comparison(otherwise=self._offer_run)

    def _offer_comparison(self, otherwise: Callable[[], None] = lambda: None) -> None:
        def done(found: tuple[Experiment, float] | None) -> None:
            if found is None:
                otherwise()
                return
            experiment, written = found
            words = self.tr("The comparison {name} is not complete. What is left of it can be run now, or later.")
            action = (self.tr("Continue"), partial(self._app_state.compare, experiment))
            self._show(words.format(name=experiment.name), action, f"{unfinished_comparison.NAME} {written:.0f}")

        self._app_state.background(partial(unfinished_comparison.recall, self._app_state.runs_folder), done)

    def _offer_run(self) -> None:
        folder, list_runs = self._app_state.runs_folder, self._app_state.engine.list_runs

        def work() -> tuple[Any, float]:
            interrupted = (run for run in list_runs(folder) if run.state == "interrupted")
            latest = max(interrupted, key=lambda run: run.created, default=None)
            # every attempt writes it again: closing this offer does not dismiss a later interruption
            record = None if latest is None else latest.folder / "run.json"
            return latest, record.stat().st_mtime if record is not None and record.exists() else 0.0

        def done(found: tuple[Any, float]) -> None:
            latest, written = found
            if latest is not None:
                words = self.tr("The run {name} was interrupted. It can be resumed from its last checkpoint.")
                action = (self.tr("Resume"), partial(self._app_state.resume, latest.folder))
                self._show(words.format(name=latest.name), action, f"{latest.folder.name} {written:.0f}")

        self._app_state.background(work, done)

    def _show(self, words: str, action: tuple[str, Callable[[], None]], key: str) -> None:
        if not self._app_state.is_running:
            key = f"{self._app_state.runs_folder.absolute()} {key}"
            self._toasts.show_notice(Notice("warning", words, "", action, key))
