"""The render thread: a player, a camera and a GL context of its own; requests come in, the newest picture goes out.

The UI thread never waits for it: a picture that was not taken is replaced by the next. MuJoCo is imported on this
thread only.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QThread, Signal
from PySide6.QtGui import QImage

from studio.cores import cores
from studio.errors import StudioError
from widgets.shell.mailbox import Mailbox, Slot
from widgets.viewport.frame import Frame
from widgets.viewport.render_requests import RenderRequests
from widgets.viewport.render_stage import Stage
from widgets.viewport.scene_renderer import LEVELS, STILL_LEVEL

# Nice value of the drawing thread. A greater one would do harm: put aside while it holds the interpreter, the thread
# keeps the UI and training waiting too.
NICE = 5
SHARE, BUSY_SHARE = 0.75, 0.4  # of the frame interval that drawing may take; while a training goes on
SMALL_BUSY_SHARE, SMALL = 0.25, 4  # on as many cores, which a training needs

_alive: set[RenderThread] = set()  # a QThread must not be collected while it runs, whatever became of its panel


def _lower_priority() -> None:
    """Let the UI and training go first where drawing contends with them for a core; Linux counts it by thread."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


class RenderThread(QThread, RenderRequests):
    """Plays and draws what is requested.

    Args:
        fps: frames a second to aim at, 1 to 60; one more than 30, since some come late and are merged on the screen.
    """

    frame_ready = Signal()  # take it with :meth:`take`
    failed = Signal(object)  # an exception of the player or its policy; the thread lives on, paused
    captured = Signal(QImage)  # answer to :meth:`capture`
    film_ended = Signal(object, object)  # its path, and None or the exception that ended it

    def __init__(self, fps: int = 31, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("render")
        self._interval = 1 / min(60, max(1, fps))
        self._mail = Mailbox()
        self._slot = Slot()
        self._share = SHARE

    def set_busy(self, on: bool) -> None:
        """Take a smaller share of the machine while a training goes on."""
        busy = BUSY_SHARE if cores() > SMALL else SMALL_BUSY_SHARE
        self._mail.post("share", busy if on else SHARE)

    def take(self) -> Frame | None:
        """Return the newest frame, once."""
        frame: Frame | None = self._slot.take()
        return frame

    def stop(self) -> None:
        """Ask the thread to end; then ``wait()``."""
        self._mail.close()

    def end(self, milliseconds: int = 2_000) -> bool:
        """Stop and wait; return False if the thread is still in a long call (it ends by itself then)."""
        self.stop()
        return self.wait(milliseconds)

    # -- the thread ------------------------------------------------------------------------------------------------

    def start(self, *args: Any) -> None:
        """Start as QThread does, and keep the thread alive until it has ended."""
        if not self.isRunning():
            _alive.add(self)
            self.finished.connect(self._forget)
            app = QCoreApplication.instance()
            if app is not None:
                app.aboutToQuit.connect(self.end)
            super().start(*args)

    def _forget(self) -> None:
        _alive.discard(self)

    def run(self) -> None:
        _lower_priority()
        try:
            stage = Stage()
        except Exception as error:  # no GL on this machine: shown once, in place of a picture
            self.publish(Frame(message=_sentence(error)))
            self.failed.emit(error)
            return
        try:
            self._loop(stage)
        finally:
            stage.close()

    def _loop(self, stage: Stage) -> None:
        deadline = time.perf_counter()
        while not self._mail.closed:
            began = time.perf_counter()
            drawn = False
            try:
                self._obey(stage, self._mail.take())
                moved = stage.advance(began, self._interval)
                if stage.wants_picture(moved):
                    self.publish(stage.draw(moved, self._interval * self._share, time.perf_counter() - began))
                    drawn = True
            except Exception as error:  # of the player or its policy: shown, and the thread lives on
                self.publish(stage.fail(_sentence(error)))
                self.failed.emit(error)
            # one late frame is made up for by the next, so that the rate holds on average
            deadline = max(deadline + self._interval, began - self._interval)
            if drawn:  # whatever woke us, no more pictures than the rate allows
                self._mail.sleep(deadline - time.perf_counter())
            else:
                self._mail.wait(stage.rest())

    def _obey(self, stage: Stage, messages: dict[str, Any]) -> None:
        first: Exception | None = None
        for key, value in messages.items():  # one that fails does not take the others with it
            try:
                if key == "share":
                    self._share = value
                elif key == "capture":
                    if stage.player is not None:
                        self.captured.emit(stage.paint(LEVELS[0]))
                elif key == "film":
                    self._film(stage, value)
                else:
                    stage.obey(key, value)
            except Exception as error:
                first = first or error
        if first is not None:
            raise first

    def _film(self, stage: Stage, path: Path | None) -> None:
        stage.dirty = True
        film = stage.painter.film
        if path is None or stage.player is None:
            film.stop()
            return
        level = min(STILL_LEVEL, stage.painter.level)
        try:
            film.start(path, stage.paint(LEVELS[level]), lambda error: self._film_over(path, error))
        except StudioError as error:  # the film's own affair: the robot goes on
            self.film_ended.emit(path, error)

    def _film_over(self, path: Path, error: Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self.film_ended.emit(path, error)
            self._mail.post("film over")

    def publish(self, frame: Frame) -> None:
        """Hand a frame to the window, in place of one that was not taken yet."""
        if self._slot.put(frame):
            self.frame_ready.emit()


def _sentence(error: BaseException) -> str:
    return str(error) if isinstance(error, StudioError) else f"{type(error).__name__}: {error}"
