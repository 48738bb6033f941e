"""Watching one of the simulations of a running training."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.contracts import PlayerProtocol
from widgets.shell.app_state import AppState
from widgets.viewport.bar import ViewportBar
from widgets.viewport.frame import Frame
from widgets.viewport.render_thread import RenderThread


class TrainingSource(QObject):
    """Shows the training's simulation that the bar names."""

    named = Signal(str)  # what is shown

    def __init__(self, app_state: AppState, thread: RenderThread, bar: ViewportBar) -> None:
        super().__init__()
        self._app_state, self._thread, self._bar = app_state, thread, bar
        self.watching = False
        self._stale = 0  # the model that was shown when the training had another
        self._words = ""

    def watch(self) -> None:
        """Show the simulation that the bar names."""
        tap, registry = self._app_state.channels.training, self._app_state.registry
        simulation, otherwise = self._bar.simulation.value() - 1, self._app_state.experiment.source

        def ask() -> Any:
            tap.look(simulation)
            return tap.take()

        def make() -> PlayerProtocol:
            from studio.sim.domains import resolve  # on the render thread
            from studio.viewer.clip_player import ClipPlayer

            return ClipPlayer(ask, resolve(tap.domain(simulation) or otherwise, registry))

        self.watching, self._words = True, ""
        self._bar.simulation.show()
        self._thread.show_domain(make)
        self._thread.play(True)
        self._name()

    def leave(self) -> None:
        """Stop watching: something else is shown."""
        if self.watching:
            self.watching = False
            self._bar.simulation.hide()
            self._app_state.channels.training.leave()

    def follow(self, frame: Frame) -> None:
        """Follow the training: it may have more simulations by now, or another world."""
        self._name()
        if frame.info.get("stale") and frame.model != self._stale:
            self._stale = frame.model
            self.watch()

    def _name(self) -> None:
        count = self._app_state.channels.training.simulations
        self._bar.set_simulations(count)
        number = self._bar.simulation.value()
        words = self.tr("training · simulation {0} of {1}").format(number, count) if count else self.tr("training")
        if words != self._words:
            self._words = words
            self.named.emit(words)
