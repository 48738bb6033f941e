"""Goes on with what was left, or offers to: runs that wait in the queue, or a run that was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject

from widgets.shell.app_state import AppState
from widgets.shell.toasts import Notice, Toasts


class Offers(QObject):
    """At the start the queue goes on where it was left; one that was held is offered, as where it is stopped.

    A run that starts withdraws the offers."""

    def __init__(self, app_state: AppState, toasts: Toasts) -> None:
        super().__init__(toasts)
        self._app_state, self._toasts = app_state, toasts
        app_state.registry_ready.connect(self._look_at_queue)
        app_state.queue_held.connect(self._offer_after_stop)
        app_state.running_changed.connect(self._withdraw)

    def _withdraw(self, running: bool) -> None:
        if running:
            self._toasts.withdraw_offers()

    def _look_at_queue(self) -> None:
        self._app_state.queue.change(lambda: None, self._continue)

    def _continue(self) -> None:
        queue, app_state = self._app_state.queue, self._app_state
        count = len(queue.waiting)
        if app_state.is_running:
            return
        if queue.runs_elsewhere:
            words = self.tr("Another program is running the queue. What it runs is shown here.")
            self._toasts.show_notice(Notice("info", words))
        elif count and queue.is_going:
            app_state.run_queue()
            words = self.tr("The queue goes on where it was left, with {name}.")
            if count > 1:
                words = self.tr("The queue goes on where it was left, with {name}; {others} more wait.")
            name = queue.waiting[0].experiment.name
            self._toasts.show_notice(Notice("info", words.format(name=name, others=count - 1)))
        elif count:
            self._offer_queue(app_state.run_queue)
        else:
            self._offer_run()

    def _offer_after_stop(self) -> None:
        """Offer to go on: first with the run that was stopped."""
        queue = self._app_state.queue
        stopped = [entry.id for entry in queue.entries if entry.state == "stopped"][-1:]

        def go_on() -> None:
            queue.change(partial(queue.queue.repeat, stopped), self._app_state.run_queue)

        self._offer_queue(go_on)

    def _offer_queue(self, action: Callable[[], None]) -> None:
        queue = self._app_state.queue
        words = self.tr("{count} runs wait in the queue. They can be run now, or later.")
        if len(queue.waiting) == 1:
            words = self.tr("The run {name} waits in the queue. It can be run now, or later.")
        words = words.format(count=len(queue.waiting), name=queue.waiting[0].experiment.name)
        self._show(words, (self.tr("Continue"), action), f"queue {queue.queue.stamp()}")

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
