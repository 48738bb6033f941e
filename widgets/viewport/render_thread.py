"""The render thread: a player, a camera and a GL context of its own; commands come in, the newest picture goes out.

The UI thread never waits for it: commands replace or sum up what was not read yet, and a picture that was not taken is
replaced by the next. MuJoCo is imported on this thread only.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QThread, Signal
from PySide6.QtGui import QImage

from studio.contracts import Decoration, Ghost, PlayerProtocol
from studio.cores import cores
from studio.errors import StudioError
from widgets.shell.mailbox import Mailbox, Slot
from widgets.viewport.frame import Frame
from widgets.viewport.policy_supply import PolicySource
from widgets.viewport.render_stage import Stage
from widgets.viewport.scene_renderer import LEVELS, STILL_LEVEL
from widgets.viewport.show_options import Shown

# Nice value of the drawing thread. A greater one would do harm: put aside while it holds the interpreter, the thread
# keeps the UI and training waiting too.
PATIENCE = 5
SHARE, BUSY_SHARE = 0.75, 0.4  # of the frame interval that drawing may take; while a training goes on
SMALL_BUSY_SHARE, SMALL = 0.25, 4  # on as many cores, which a training needs

_alive: set[RenderThread] = set()  # a QThread must not be collected while it runs, whatever became of its panel


def _step_back() -> None:
    """Lets the UI and training go first where drawing contends with them for a core; Linux counts it by thread."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PATIENCE)


class RenderThread(QThread):
    """Plays and draws. All public methods may be called from the UI thread and return at once.

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
        self._presses = 0
        self._share = SHARE

    # -- what the UI thread says -----------------------------------------------------------------------------------

    def show_domain(self, factory: Callable[[], PlayerProtocol]) -> None:
        """Replaces the player. ``factory`` is called on the render thread."""
        self._mail.post("player", factory)

    def set_policy(self, policy: Any, source: PolicySource | None = None) -> None:
        """``"expert"``, ``"random"`` or a policy; or None and a ``source`` that is asked once a second."""
        self._mail.post("policy", (policy, source))

    def play(self, on: bool) -> None:
        self._mail.post("play", on)

    def set_speed(self, factor: float) -> None:
        self._mail.post("speed", factor)

    def step(self) -> None:
        """One control step; pauses. Where the history knows what came next, that comes again."""
        self._mail.add("step", 1)

    def back(self) -> None:
        """One control step back; pauses."""
        self._mail.add("back", 1)

    def seek(self, index: int) -> None:
        """To an entry of the history, or a frame of the recorded episode; pauses."""
        self._mail.post("seek", index)

    def choose(self, episode: int) -> None:
        """Another of the recorded episodes."""
        self._mail.post("choose", episode)

    def keyframe(self, index: int) -> None:
        """Poses the robot as in one of the model's keyframes; pauses."""
        self._mail.post("keyframe", index)

    def pose(self, joint: int, value: float) -> None:
        """Puts a joint where its slider is, rad or m; pauses."""
        self._mail.post(f"pose {joint}", value)

    def set_ctrl(self, actuator: int, value: float) -> None:
        """Set an actuator's control under the policy ``"hand"``."""
        self._mail.post(f"ctrl {actuator}", value)

    def set_context(self, component: int, value: float) -> None:
        """Makes the episode that plays another of its task's family."""
        self._mail.post(f"context {component}", value)

    def hold_context(self, on: bool) -> None:
        """Whether further episodes keep the present one's context."""
        self._mail.post("hold", on)

    def reset(self, seed: int | None = None) -> None:
        """A new episode; without a seed, the same one again."""
        self._mail.post("reset", (seed,))

    def preview(self, values: Mapping[str, float]) -> None:
        """Holds these randomization values, episode after episode; empty: the domain's own draws again."""
        self._mail.post("preview", dict(values))

    def set_size(self, width: int, height: int) -> None:
        """Device pixels."""
        self._mail.post("size", (width, height))

    def set_visible(self, on: bool) -> None:
        self._mail.post("visible", on)

    def set_inset(self, on: bool) -> None:
        self._mail.post("inset", on)

    def set_camera(self, mode: str) -> None:
        """free, follow, or the name of one of the model's cameras."""
        self._mail.post("camera", mode)

    def move_camera(self, how: str, *amounts: float) -> None:
        """``orbit`` or ``pan`` by (dx, dy) in heights of the view, ``zoom`` by notches."""
        self._mail.add(how, *amounts)

    def center_at(self, x: float, y: float) -> None:
        """Centres what lies at (x, y), in [0, 1] from the upper left; the whole model where nothing does."""
        self._mail.post("center", (x, y))

    def select(self, x: float, y: float) -> None:
        """Selects the body under (x, y), in [0, 1] from the upper left."""
        self._mail.post("select", (x, y))

    def deselect(self) -> None:
        """Selects nothing."""
        self._mail.post("select", None)

    def grab(self, how: str, flat: bool = False) -> None:
        """Holds the selected body, to ``pull`` or ``turn`` it; ``flat``: in the horizontal plane."""
        self._presses += 1
        self._mail.post("grab", (how, flat, self._presses))

    def drag(self, dx: float, dy: float) -> None:
        """Moves the hand that holds a body, in heights of the view."""
        self._mail.add("drag", dx, dy)

    def release(self) -> None:
        """Lets go of the body."""
        self._mail.post("grab", None)

    def show(self, shown: Shown) -> None:
        """What is drawn over the scene: contacts, joints, labels, …"""
        self._mail.post("show", shown)

    def set_ghosts(self, ghosts: Sequence[Ghost]) -> None:
        """Draw these translucent copies of the robot until others are set; a player may have more of its own."""
        self._mail.post("ghosts", tuple(ghosts))

    def set_overlays(self, decorations: Sequence[Decoration]) -> None:
        """Balls and lines in the world, until others are set. A player may have ``overlays`` of its own."""
        self._mail.post("overlays", tuple(decorations))

    def inspect(self, parts: frozenset[str]) -> None:
        """Frames carry these from now on: ``joints``, ``actuators``, ``context``."""
        self._mail.post("inspect", parts)

    def watch(self, texts: Sequence[str]) -> None:
        """Frames carry readings of these fields from now on, see studio.viewer.watched_fields."""
        self._mail.post("watch", tuple(texts))

    def film(self, path: Path | None) -> None:
        """Records what is drawn into an MP4 file; None: completes it. :attr:`film_ended` tells when it is whole."""
        self._mail.post("film", path)

    def capture(self) -> None:
        """Draws the present view once, finely, and emits it with :attr:`captured`."""
        self._mail.post("capture")

    def set_busy(self, on: bool) -> None:
        """Training is going on: drawing takes a smaller share of the machine."""
        busy = BUSY_SHARE if cores() > SMALL else SMALL_BUSY_SHARE
        self._mail.post("share", busy if on else SHARE)

    def take(self) -> Frame | None:
        """The newest frame, once."""
        frame: Frame | None = self._slot.take()
        return frame

    def stop(self) -> None:
        """Asks the thread to end; then ``wait()``."""
        self._mail.close()

    def end(self, milliseconds: int = 2_000) -> bool:
        """Stops and waits; False if the thread is still in a long call (it ends by itself then)."""
        self.stop()
        return self.wait(milliseconds)

    # -- the thread ------------------------------------------------------------------------------------------------

    def start(self, *args: Any) -> None:
        """As QThread's; keeps the thread alive until it has ended."""
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
        _step_back()
        try:
            stage = Stage()
        except Exception as error:  # no GL on this machine: said once, in place of a picture
            self._emit(Frame(message=_sentence(error)))
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
                    self._emit(stage.draw(moved, self._interval * self._share, time.perf_counter() - began))
                    drawn = True
            except Exception as error:  # of the player or its policy: shown, and the thread lives on
                self._emit(stage.fail(_sentence(error)))
                self.failed.emit(error)
            # one late frame is made up for by the next, so that the rate holds on average
            deadline = max(deadline + self._interval, began - self._interval)
            if drawn:  # whatever woke us, no more pictures than the rate allows
                self._mail.sleep(deadline - time.perf_counter())
            else:
                self._mail.wait(stage.rest())

    def _obey(self, stage: Stage, letters: dict[str, Any]) -> None:
        first: Exception | None = None
        for key, value in letters.items():  # one that fails does not take the others with it
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
        if path is None or stage.player is None:
            stage.film.stop()
            return
        level = min(STILL_LEVEL, stage.quality.level)
        try:
            stage.film.start(path, stage.paint(LEVELS[level]), lambda error: self._film_over(path, error))
        except StudioError as error:  # the film's own affair: the robot goes on
            self.film_ended.emit(path, error)

    def _film_over(self, path: Path, error: Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self.film_ended.emit(path, error)
            self._mail.post("film over")

    def _emit(self, frame: Frame) -> None:
        if self._slot.put(frame):
            self.frame_ready.emit()


def _sentence(error: BaseException) -> str:
    return str(error) if isinstance(error, StudioError) else f"{type(error).__name__}: {error}"
