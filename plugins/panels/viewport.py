"""The Viewport panel: the robot at work, live or recorded; policy, domain, camera, speed and time are the user's."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QToolTip, QVBoxLayout, QWidget

from studio.contracts import Ghost, PanelInfo, PlayerProtocol, Policy
from studio.errors import StudioError
from studio.experiment import Domain, Experiment
from widgets.shell import opening
from widgets.shell.app_state import AppState
from widgets.viewport import menus as viewport_menus
from widgets.viewport import sources as viewport_sources
from widgets.viewport.bar import ViewportBar
from widgets.viewport.captures import Keep
from widgets.viewport.frame import Frame
from widgets.viewport.history_bar import HistoryBar
from widgets.viewport.inspector import ViewportSide
from widgets.viewport.keys import help_text
from widgets.viewport.render_thread import RenderThread
from widgets.viewport.sources import Recorded
from widgets.viewport.trace_strip import TraceStrip
from widgets.viewport.training_source import TrainingSource
from widgets.viewport.view import Viewport

TIME_S = 0.2  # between two moves of the slider while time runs
REBUILD_MS = 400  # edits come in bursts; the player is made again when they rest


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
        self._make_player = make_player or self._studio_player
        self._load_policy = load_policy
        self.thread_ = RenderThread()
        self.view = Viewport(self.thread_)
        self.bar = ViewportBar()
        self.side = ViewportSide()
        self.history = HistoryBar()
        self.traces = TraceStrip()
        self.keep = Keep(app_state, self.thread_)
        self.training = TrainingSource(app_state, self.thread_, self.bar)
        self._playing = True
        self._followed = Frame()
        self._told_time = 0.0
        self._policy = "expert"
        self._stands_in = False  # random actions, nobody's choice: the task has no expert
        self._checkpoint: tuple[Policy, Experiment, str] | None = None  # policy, its experiment, its name
        self._asked = 0  # checkpoints asked for; only the last answer counts
        self._shown: Domain | None = None
        self._ghosts: tuple[list[Ghost], Domain] = ([], Domain())  # and the domain whose robot they show
        self._keyframe = -1  # the last one that a key asked for
        self._elsewhere = ""  # name of a file or recording that is shown in place of the experiment's domain
        upper = QHBoxLayout()
        upper.setSpacing(0)
        upper.addWidget(self.view, 1)
        upper.addWidget(self.side)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(upper, 1)
        for widget in (self.traces, self.history, self.bar):
            layout.addWidget(widget)
        self._debounce = QTimer(self)
        self._debounce.setSingleShot(True)
        self._debounce.setInterval(REBUILD_MS)
        self._debounce.timeout.connect(self._show_domain)
        self._wire()
        self.thread_.play(True)
        self.bar.set_playing(True)
        self._name_policy()

    def shut_down(self) -> None:
        """Ends the render thread; the panel shows nothing new after it. A film that is being made is completed."""
        self._debounce.stop()
        self.thread_.end(12_000 if self.keep.is_filming else 2_000)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.traces.set_room(self.height())
        super().resizeEvent(event)

    # -- wiring --------------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        app_state, thread, view, bar = self._app_state, self.thread_, self.view, self.bar
        app_state.experiment_changed.connect(self._debounce.start)
        app_state.registry_ready.connect(self._start)
        app_state.checkpoint_chosen.connect(self._load_checkpoint)
        app_state.preview_changed.connect(thread.preview)
        app_state.ghosts_changed.connect(self._take_ghosts)
        app_state.running_changed.connect(thread.set_busy)
        app_state.running_changed.connect(self._see_what_learns)
        thread.failed.connect(self._failed)
        view.frame_shown.connect(self._follow)
        view.dropped.connect(self.look_at)
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
        bar.film_toggled.connect(self.keep.film)
        self.keep.filming.connect(bar.set_filming)
        bar.side_toggled.connect(self.side.setVisible)
        bar.keyframe_chosen.connect(thread.keyframe)
        bar.speed_chosen.connect(thread.set_speed)
        bar.camera_chosen.connect(thread.set_camera)
        bar.policy_chosen.connect(self._choose_policy)
        bar.simulation_chosen.connect(lambda _number: self._watch_training())
        self.training.named.connect(self._look_at_training)
        bar.domain_chosen.connect(lambda _key: self._come_back())
        self.history.sought.connect(thread.seek)
        self.history.episode_chosen.connect(thread.choose)
        self.traces.sought.connect(thread.seek)
        self.side.wants_changed.connect(self._tell_wants)
        self.side.options.changed.connect(thread.show)
        self.side.joints.turned.connect(thread.pose)
        self.side.actuators.turned.connect(self._turn_actuator)
        self.side.context.turned.connect(thread.set_context)
        self.side.hold.toggled.connect(thread.hold_context)
        view.setWhatsThis(help_text())  # as a tool tip it would lie over the picture whenever the mouse rests
        bar.side.setToolTip(f"{bar.side.toolTip()}\n\n{help_text()}")
        self.destroyed.connect(thread.stop)
        if app_state.registry_is_ready:
            QTimer.singleShot(0, self, self._start)

    def _start(self) -> None:
        if not self.thread_.isRunning():
            self.thread_.start()
        self.view.set_notice(self.tr("Building the simulation…"))
        self._show_domain()

    def _studio_player(self, domain: Domain) -> PlayerProtocol:
        from studio.viewer.player import Player  # on the render thread

        return Player(domain, self._app_state.registry)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _show_domain(self) -> None:
        """Builds the player of the chosen domain, if it is another than the one shown."""
        if not self.thread_.isRunning() or self._elsewhere:
            return
        domain = self._domain()
        if domain == self._shown:
            return
        self._shown = domain
        self._find_a_driver(domain)
        make = self._make_player
        self.thread_.show_domain(lambda: make(domain))
        self._show_ghosts()

    def _domain(self) -> Domain:
        experiment = self._checkpoint[1] if self._checkpoint else self._app_state.experiment
        return experiment.source if self.bar.domain.key == "source" else experiment.target

    def _come_back(self) -> None:
        """From a file or recording to the experiment's domain."""
        if self._elsewhere:
            self._elsewhere, self._shown = "", None
            self.training.leave()
            self.view.looking_at = ""
            self._name_policy()
        self._show_domain()

    def look_at(self, path: Path) -> None:
        """Shows a model file, or plays a dataset's episodes; the experiment stays as it is."""
        path = Path(path)
        if opening.kind_of(path) == "dataset":
            registry, domain = self._app_state.registry, self._domain()
            self._answer(lambda: viewport_sources.dataset(path, registry, domain), self._show_recorded)
        else:
            self._show_recorded(viewport_sources.model(path))

    def _answer(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Works in the background; of several questions only the last one's answer counts."""
        self._asked += 1
        asked = self._asked
        self._app_state.background(work, lambda found: done(found) if asked == self._asked else None)

    def _show_recorded(self, recorded: Recorded) -> None:
        self._asked += 1
        self.training.leave()
        self._elsewhere = recorded.name
        self.view.looking_at = recorded.name
        self.thread_.show_domain(recorded.make)
        self._show_ghosts()
        self._name_policy()

    def _watch_training(self) -> None:
        """Shows one of the training's own simulations."""
        self._asked += 1
        self._elsewhere = self.tr("training")
        self.training.watch()
        self._show_ghosts()
        self._name_policy()

    def _look_at_training(self, words: str) -> None:
        self.view.looking_at = words
        self.view.refresh()

    def _take_ghosts(self, ghosts: list[Ghost], domain: Domain) -> None:
        self._ghosts = ghosts, domain
        self._show_ghosts()

    def _show_ghosts(self) -> None:
        """Only beside the robot and task that they are of."""
        ghosts, domain = self._ghosts
        shown = self._shown if not self._elsewhere else None
        fit = shown is not None and (shown.embodiment, shown.task) == (domain.embodiment, domain.task)
        self.thread_.set_ghosts(ghosts if fit else [])

    def _find_a_driver(self, domain: Domain) -> None:
        """Where there is no expert to look at, random actions move the body until there is a policy."""
        task = self._app_state.registry.all("tasks").get(domain.task)
        has_expert = task is None or task.has_expert
        if (self._policy == "expert" and not has_expert) or (self._stands_in and has_expert):
            self._policy, self._stands_in = ("expert", False) if has_expert else ("random", True)
            self._drive()

    def _see_what_learns(self, running: bool) -> None:
        """In place of such random actions a run's own policy plays as soon as there is one."""
        if running and self._stands_in:
            self._set_policy("current", None)

    def _choose_policy(self, key: str) -> None:
        if key == "training":
            self._watch_training()
            return
        if key in ("checkpoint", "recorded"):
            self._name_policy()  # nothing has been chosen yet
            folder = self._app_state.runs_folder
            if key == "checkpoint":
                self._app_state.background(lambda: viewport_sources.checkpoints(folder), self._offer_checkpoints)
            else:
                plan, registry = self._app_state.experiment, self._app_state.registry

                def work() -> tuple[Any, Any]:
                    return viewport_sources.datasets(plan, registry), viewport_sources.evaluations(folder)

                self._app_state.background(work, self._offer_recordings)
            return
        self._set_policy(key, None)

    def _set_policy(self, key: str, checkpoint: tuple[Policy, Experiment, str] | None) -> None:
        self._policy, self._checkpoint, self._stands_in = key, checkpoint, False
        self._asked += 1
        self._come_back()
        self._drive()

    def _drive(self) -> None:
        """What was chosen, or found in its place, moves the body."""
        if self._checkpoint is not None:
            self.thread_.set_policy(self._checkpoint[0])
        elif self._policy == "current":
            self.thread_.set_policy(None, self._app_state.channels.policy.get)
        else:
            self.thread_.set_policy(self._policy)
        self._name_policy()

    def _name_policy(self) -> None:
        name = self._checkpoint[2] if self._checkpoint else ""
        shown = "training" if self.training.watching else "recorded" if self._elsewhere else self._policy
        self.bar.set_policy(shown, name)
        words = {
            "expert": self.tr("expert"),
            "current": self.tr("current policy"),
            "random": self.tr("random"),
            "hand": self.tr("by hand"),
            "checkpoint": self.tr("checkpoint {0}").format(name),
        }
        self.view.policy_text = words[self._policy]
        self.view.refresh()

    def _offer_checkpoints(self, runs: list[tuple[str, Path, list[int]]]) -> None:
        if not runs:
            words = self.tr("There is no checkpoint yet. Run an experiment; its checkpoints can be played here.")
            self._app_state.toast.emit("info", words, "")
            return
        menu = viewport_menus.checkpoints(self, runs, self._app_state.checkpoint_chosen.emit)
        viewport_menus.pop_up(menu, self.bar.policy)

    def _offer_recordings(self, found: tuple[list[tuple[str, Path]], list[tuple[str, Path, list[Any]]]]) -> None:
        registry = self._app_state.registry

        def load(folder: Path, step: int) -> None:
            self._answer(partial(viewport_sources.evaluation, folder, step, registry), self._show_recorded)

        menu = viewport_menus.recordings(self, *found, self.look_at, self._open_file, load)
        viewport_menus.pop_up(menu, self.bar.policy)

    def _open_file(self) -> None:
        types = self.tr("Datasets and models ({0})").format("*.hdf5 *.h5 *.xml *.mjcf *.urdf")
        name, _ = QFileDialog.getOpenFileName(self, self.tr("Open a model or dataset"), "", types)
        if name:
            self.look_at(Path(name))

    def _load_checkpoint(self, folder: Path, step: int) -> None:
        def work() -> tuple[Policy, Experiment]:
            return self._load_policy(folder, step), Experiment.load(folder / "experiment.yaml")

        self._answer(work, lambda both: self._set_policy("checkpoint", (*both, f"{both[1].strategy.id} · {step}")))

    # -- what comes back -----------------------------------------------------------------------------------------------

    def _follow(self, frame: Frame) -> None:
        if frame.playing != self._playing:
            self._playing = frame.playing
            self.bar.set_playing(frame.playing)
        before, self._followed = self._followed, frame
        if frame.camera != before.camera or frame.cameras is not before.cameras:
            self.bar.set_cameras(frame.cameras, frame.camera)
        if frame.sheet is not before.sheet:
            self.bar.set_keyframes(() if frame.sheet.kind in ("recorded", "training") else frame.sheet.keyframes)
        if self.training.watching:
            self.training.follow(frame)
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
        """The slider runs along at a readable pace, and stands exactly where the picture stands still."""
        now = time.monotonic()
        if running and now - self._told_time < TIME_S:
            return
        self._told_time = now
        recorded = (frame.info["episode"], frame.info["episodes"]) if "episodes" in frame.info else None
        self.history.set_moment(*frame.moment, recorded)

    def _tell_wants(self) -> None:
        self.thread_.inspect(self.side.inspected)
        self.thread_.watch(self.side.watched)

    def _next_keyframe(self) -> None:
        actions = self.bar.keyframes.actions()
        if actions:
            self._keyframe = (self._keyframe + 1) % len(actions)
            actions[self._keyframe].trigger()

    def _turn_actuator(self, actuator: int, value: float) -> None:
        """A hand on an actuator takes the robot over."""
        if self._policy != "hand" and not self._elsewhere:
            self._set_policy("hand", None)
        self.thread_.set_ctrl(actuator, value)

    def _obey_key(self, command: str) -> None:
        if command in ("faster", "slower"):
            self.bar.change_speed(1 if command == "faster" else -1)
        elif command in ("first", "last"):
            self.thread_.seek(0 if command == "first" else self.history.slider.maximum())
        elif command == "side":
            self.bar.side.toggle()
        elif command == "film":
            self.bar.film.toggle()
        elif command == "keyframe":
            self._next_keyframe()
        elif command == "help":
            QToolTip.showText(self.view.mapToGlobal(QPoint(8, 8)), help_text(), self.view)
        elif command == "picture":
            self.thread_.capture()
        elif command == "leave":
            if self.view.frame.selected:
                self.thread_.deselect()
            elif self._elsewhere:
                self._come_back()
        else:
            self.side.options.obey(command)

    def _toggle_play(self) -> None:
        self._playing = not self._playing
        self.bar.set_playing(self._playing)
        self.thread_.play(self._playing)

    def _camera_by_number(self, number: int) -> None:
        keys = [self.bar.camera.itemData(i) for i in range(self.bar.camera.count())]
        index = 0 if number == 0 else number + 1  # after the free and the following camera come the model's
        if index < len(keys):
            self.thread_.set_camera(keys[index])

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, StudioError):  # those are read in the viewport; these want their traceback kept
            self._app_state.report(error, self.tr("Viewport"))


PANEL = PanelInfo(
    id="viewport",
    title="Viewport",
    summary="Plays the expert, the current policy, a checkpoint or recorded episodes; any model in your hand.",
    area="center",
    order=10,
    factory=ViewportPanel,
)
