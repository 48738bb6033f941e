"""The Viewport panel: the robot at work, live or recorded; policy, domain, camera, speed and time are the user's."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.contracts import PanelInfo, PlayerProtocol, Policy
from studio.errors import StudioError
from studio.experiment import Domain
from widgets.shell.app_state import AppState
from widgets.viewport.bar import ViewportBar
from widgets.viewport.captures import Captures
from widgets.viewport.frame import Frame
from widgets.viewport.history_bar import HistoryBar
from widgets.viewport.inspector import ViewportSide
from widgets.viewport.keys import HELP, help_text
from widgets.viewport.picture_splitter import PictureSplitter
from widgets.viewport.render_thread import RenderThread
from widgets.viewport.source_controller import SourceController
from widgets.viewport.trace_strip import TraceStrip
from widgets.viewport.view import Viewport

SLIDER_S = 0.2  # between two moves of the time slider while time runs
REBUILD_MS = 400  # edits come in bursts; the player is rebuilt when they rest


def load_checkpoint(folder: Path, step: int) -> Policy:
    """Return the policy of a run at a step. Raises DataError."""
    from studio.store.checkpoint import load_policy

    policy: Policy = load_policy(folder, step)
    return policy


class ViewportPanel(QWidget):
    """Owns the render thread; :meth:`shut_down` ends it.

    Args:
        make_player: makes the player of a domain, on the render thread.
        load_policy: reads the policy of a run's checkpoint, off the UI thread.
    """

    def __init__(
        self,
        app_state: AppState,
        make_player: Callable[[Domain], PlayerProtocol] | None = None,
        load_policy: Callable[[Path, int], Policy] = load_checkpoint,
    ) -> None:
        super().__init__()
        self._app_state = app_state
        self.thread_ = RenderThread()
        self.view = Viewport(self.thread_)
        self.bar = ViewportBar()
        self.side = ViewportSide()
        self.history = HistoryBar()
        self.traces = TraceStrip()
        self.captures = Captures(app_state, self.thread_)
        make = make_player or self._studio_player
        self.sources = SourceController(app_state, self.thread_, self.view, self.bar, make, load_policy)
        self._playing = True
        self._followed = Frame()
        self._slider_moved = 0.0  # when
        self._keyframe = -1  # the last one that a key asked for
        upper = QHBoxLayout()
        upper.setSpacing(0)
        upper.addWidget(PictureSplitter(self.view, self.traces), 1)
        upper.addWidget(self.side)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(upper, 1)
        layout.addWidget(self.history)
        layout.addWidget(self.bar)
        self._debounce = QTimer(self)
        self._debounce.setSingleShot(True)
        self._debounce.setInterval(REBUILD_MS)
        self._debounce.timeout.connect(self.sources.show_domain)
        self._wire()
        self.thread_.play(True)
        self.bar.set_playing(True)

    def shut_down(self) -> None:
        """End the render thread; the panel shows nothing new after it. A film that is being made is completed."""
        self._debounce.stop()
        self.thread_.end(12_000 if self.captures.is_filming else 2_000)

    # -- wiring --------------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        app_state, thread, view, bar, side = self._app_state, self.thread_, self.view, self.bar, self.side
        app_state.experiment_changed.connect(self._debounce.start)
        app_state.registry_ready.connect(self._start)
        app_state.preview_changed.connect(thread.preview)
        app_state.running_changed.connect(thread.set_busy)
        app_state.running_changed.connect(view.overlays.set_training)
        thread.failed.connect(self._report_failure)
        view.frame_shown.connect(self.follow)
        view.dropped.connect(self.sources.look_at)
        for source in (view, bar):
            source.play_toggled.connect(self._toggle_play)
            source.step_asked.connect(thread.step)
            source.back_asked.connect(thread.back)
            source.reset_asked.connect(lambda: thread.reset())
        view.camera_asked.connect(self._camera_by_number)
        view.asked.connect(self._obey_key)
        bar.seed_asked.connect(lambda: thread.reset(random.randrange(1_000_000)))
        bar.picture_asked.connect(thread.capture)
        bar.inset_toggled.connect(thread.set_inset)
        bar.film_toggled.connect(self.captures.film)
        self.captures.filming.connect(bar.set_filming)
        bar.side_toggled.connect(side.setVisible)
        bar.keyframe_chosen.connect(thread.keyframe)
        bar.speed_chosen.connect(thread.set_speed)
        bar.camera_chosen.connect(thread.set_camera)
        self.history.sought.connect(thread.seek)
        self.history.episode_chosen.connect(thread.choose)
        self.traces.sought.connect(thread.seek)
        side.wants_changed.connect(self._request_readings)
        side.options.changed.connect(thread.show)
        side.joints.turned.connect(thread.pose)
        side.actuators.turned.connect(self._turn_actuator)
        side.context.turned.connect(thread.set_context)
        side.hold.toggled.connect(thread.hold_context)
        view.setWhatsThis(help_text())  # as a tool tip it would lie over the picture whenever the mouse rests
        bar.side.setToolTip(f"{bar.side.toolTip()}\n\n{help_text()}")
        self.destroyed.connect(thread.stop)
        if app_state.registry_is_ready:
            QTimer.singleShot(0, self, self._start)

    def _start(self) -> None:
        if not self.thread_.isRunning():
            self.thread_.start()
        self.view.set_notice(self.tr("Building the simulation…"))
        self.sources.show_domain()

    def _studio_player(self, domain: Domain) -> PlayerProtocol:
        from studio.sim.domains import resolve  # on the render thread
        from studio.viewer.player import Player

        return Player(resolve(domain, self._app_state.registry))

    # -- what frames say -----------------------------------------------------------------------------------------------

    def follow(self, frame: Frame) -> None:
        """Show a frame's numbers around the picture, where they are others than the last frame's."""
        if frame.playing != self._playing:
            self._playing = frame.playing
            self.bar.set_playing(frame.playing)
        before, self._followed = self._followed, frame
        if frame.camera != before.camera or frame.cameras is not before.cameras:
            self.bar.set_cameras(frame.cameras, frame.camera)
        if frame.sheet is not before.sheet:
            self.bar.set_keyframes(() if frame.sheet.kind in ("recorded", "training") else frame.sheet.keyframes)
        if self.sources.training.watching:
            self.sources.training.follow(frame)
        if frame.moment != before.moment or not frame.playing:
            self._follow_time(frame, frame.playing and frame.model == before.model)
        if frame.traces is not before.traces:
            self.traces.set_traces(frame.traces, frame.legend[0] if frame.legend else "")
        if frame.traces is not None and (
            frame.traces is not before.traces or "episodes" in frame.info or not frame.playing
        ):
            self.traces.set_frame(frame.moment[0])  # of a policy that plays it moves with the numbers
        if frame.sheet is not before.sheet or not self.side.isHidden():
            self.side.follow(frame)

    def _follow_time(self, frame: Frame, running: bool) -> None:
        """Let the slider run along at a readable pace, and be exact where the picture rests."""
        now = time.monotonic()
        if running and now - self._slider_moved < SLIDER_S:
            return
        self._slider_moved = now
        recorded = (frame.info["episode"], frame.info["episodes"]) if "episodes" in frame.info else None
        self.history.set_moment(*frame.moment, recorded)

    def _request_readings(self) -> None:
        self.thread_.inspect(self.side.inspected)
        self.thread_.watch(self.side.watched)

    def _report_failure(self, error: Exception) -> None:
        if not isinstance(error, StudioError):  # those are read in the viewport; these want their traceback kept
            self._app_state.report(error, self.tr("Viewport"))

    # -- what the person does ------------------------------------------------------------------------------------------

    def _obey_key(self, command: str) -> None:
        match command:
            case "faster" | "slower":
                self.bar.change_speed(1 if command == "faster" else -1)
            case "first" | "last":
                self.thread_.seek(0 if command == "first" else self.history.slider.maximum())
            case "side":
                self.bar.side.toggle()
            case "film":
                self.bar.film.toggle()
            case "keyframe":
                self._next_keyframe()
            case "picture":
                self.thread_.capture()
            case "leave":
                self._leave()
            case _:
                self.side.options.obey(command)

    def _leave(self) -> None:
        """Let go of the selected body, else come back from what is looked at."""
        if self.view.frame.selected:
            self.thread_.deselect()
        elif self.sources.elsewhere:
            self.sources.come_back()

    def _next_keyframe(self) -> None:
        actions = self.bar.keyframes.actions()
        if actions:
            self._keyframe = (self._keyframe + 1) % len(actions)
            actions[self._keyframe].trigger()

    def _turn_actuator(self, actuator: int, value: float) -> None:
        """Set an actuator; a hand on one takes the robot over."""
        self.sources.take_over()
        self.thread_.set_ctrl(actuator, value)

    def _toggle_play(self) -> None:
        self._playing = not self._playing
        self.bar.set_playing(self._playing)
        self.thread_.play(self._playing)

    def _camera_by_number(self, number: int) -> None:
        keys = [self.bar.camera.itemData(i) for i in range(self.bar.camera.count())]
        index = 0 if number == 0 else number + 1  # after the free and the following camera come the model's
        if index < len(keys):
            self.thread_.set_camera(keys[index])


PANEL = PanelInfo(
    id="viewport",
    title="Viewport",
    summary="Plays the expert, the current policy, a checkpoint or recorded episodes; any model in your hand.",
    area="center",
    order=10,
    factory=ViewportPanel,
    help="randomization-and-viewport",
    shortcuts=HELP,
)
