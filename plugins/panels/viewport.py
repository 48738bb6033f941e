"""The Viewport panel: the robot at work, live; the policy, domain, camera and speed are the user's choice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from studio.contracts import PanelInfo
from studio.errors import DataError, StudioError
from studio.experiment import Domain, Experiment
from widgets.bench import Bench
from widgets.render_stage import Frame
from widgets.render_thread import RenderThread
from widgets.viewport import Viewport
from widgets.viewport_bar import ViewportBar

REBUILD_MS = 400  # edits come in bursts; the player is made anew when they rest
RUNS_SHOWN = 15


class ViewportPanel(QWidget):
    """Owns the render thread; :meth:`shut_down` ends it."""

    def __init__(self, bench: Bench, make_player: Callable[[Domain], Any] | None = None) -> None:
        super().__init__()
        self._bench = bench
        self._make_player = make_player or self._studio_player
        self.thread_ = RenderThread()
        self.view = Viewport(self.thread_)
        self.bar = ViewportBar()
        self._playing = True
        self._policy = "expert"
        self._checkpoint: tuple[Any, Experiment, str] | None = None  # policy, its experiment, its name
        self._asked = 0  # checkpoints asked for; only the last answer counts
        self._shown: Domain | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.bar)
        self._debounce = QTimer(self)
        self._debounce.setSingleShot(True)
        self._debounce.setInterval(REBUILD_MS)
        self._debounce.timeout.connect(self._show_domain)
        self._wire()
        self.thread_.play(True)
        self.bar.set_playing(True)
        self._name_policy()

    def shut_down(self) -> None:
        """Ends the render thread; the panel shows nothing new after it."""
        self._debounce.stop()
        self.thread_.end()

    # -- wiring --------------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        bench, thread, view, bar = self._bench, self.thread_, self.view, self.bar
        bench.experiment_changed.connect(self._debounce.start)
        bench.registry_ready.connect(self._start)
        bench.checkpoint_chosen.connect(self._load_checkpoint)
        bench.preview_changed.connect(thread.preview)
        bench.running_changed.connect(thread.set_busy)
        thread.failed.connect(self._failed)
        thread.captured.connect(self._save_picture)
        view.frame_shown.connect(self._follow)
        for source in (view, bar):
            source.play_toggled.connect(self._toggle_play)
            source.step_asked.connect(thread.step)
            source.reset_asked.connect(lambda: thread.reset())
        view.camera_asked.connect(self._camera_by_number)
        bar.seed_asked.connect(lambda: thread.reset(random.randrange(1_000_000)))
        bar.picture_asked.connect(thread.capture)
        bar.inset_toggled.connect(thread.set_inset)
        bar.speed_chosen.connect(thread.set_speed)
        bar.camera_chosen.connect(thread.set_camera)
        bar.policy_chosen.connect(self._choose_policy)
        bar.domain_chosen.connect(lambda _key: self._show_domain())
        self.destroyed.connect(thread.stop)
        if bench.registry_is_ready:
            QTimer.singleShot(0, self, self._start)

    def _start(self) -> None:
        if not self.thread_.isRunning():
            self.thread_.start()
        self.view.set_notice(self.tr("Building the simulation…"))
        self._show_domain()

    def _studio_player(self, domain: Domain) -> Any:
        from studio.sim.player import Player  # on the render thread

        return Player(domain, self._bench.registry)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _show_domain(self) -> None:
        """Builds the player of the chosen domain, if it is another than the one shown."""
        if not self.thread_.isRunning():
            return
        experiment = self._checkpoint[1] if self._checkpoint else self._bench.experiment
        domain = experiment.source if self.bar.domain.key == "source" else experiment.target
        if domain == self._shown:
            return
        self._shown = domain
        make = self._make_player
        self.thread_.show_domain(lambda: make(domain))

    def _choose_policy(self, key: str) -> None:
        if key == "checkpoint":
            self.bar.set_policy(self._policy, self._checkpoint[2] if self._checkpoint else "")
            self._offer_checkpoints()
            return
        self._set_policy(key, None)

    def _set_policy(self, key: str, checkpoint: tuple[Any, Experiment, str] | None) -> None:
        self._policy, self._checkpoint = key, checkpoint
        self._asked += 1
        self._show_domain()
        if checkpoint is not None:
            self.thread_.set_policy(checkpoint[0])
        elif key == "current":
            self.thread_.set_policy(None, self._bench.channels.policy.get)
        else:
            self.thread_.set_policy(key)
        self._name_policy()

    def _name_policy(self) -> None:
        name = self._checkpoint[2] if self._checkpoint else ""
        self.bar.set_policy(self._policy, name)
        words = {
            "expert": self.tr("expert"),
            "current": self.tr("current policy"),
            "random": self.tr("random"),
            "checkpoint": self.tr("checkpoint {0}").format(name),
        }
        self.view.policy_text = words[self._policy]
        self.view.update()

    def _offer_checkpoints(self) -> None:
        folder = self._bench.runs_folder

        def work() -> list[tuple[str, Path, list[int]]]:
            from studio.run.checkpoint import list_checkpoints
            from studio.run.runs import list_runs

            runs = sorted(list_runs(folder), key=lambda run: -run.created)[:RUNS_SHOWN]
            found = [
                (run.name, run.folder, sorted({step for _, step, _ in list_checkpoints(run.folder)})) for run in runs
            ]
            return [entry for entry in found if entry[2]]

        self._bench.background(work, self._show_checkpoints)

    def _show_checkpoints(self, runs: list[tuple[str, Path, list[int]]]) -> None:
        if not runs:
            words = self.tr("There is no checkpoint yet. Run an experiment; its checkpoints can be played here.")
            self._bench.toast.emit("info", words, "")
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name, folder, steps in runs:
            entries = menu.addMenu(name)
            for step in reversed(steps):
                action = entries.addAction(self.tr("step {0}").format(step))
                action.triggered.connect(lambda _=False, f=folder, s=step: self._bench.checkpoint_chosen.emit(f, s))
        combo = self.bar.policy
        menu.popup(combo.mapToGlobal(QPoint(0, -menu.sizeHint().height())))

    def _load_checkpoint(self, folder: Path, step: int) -> None:
        self._asked += 1
        asked = self._asked

        def work() -> tuple[Any, Experiment]:
            from studio.run.checkpoint import load_policy

            return load_policy(Path(folder), step), Experiment.load(Path(folder) / "experiment.yaml")

        def done(loaded: tuple[Any, Experiment]) -> None:
            if asked == self._asked:
                self._set_policy("checkpoint", (*loaded, f"{loaded[1].strategy.id} · {step}"))

        self._bench.background(work, done)

    # -- what comes back -----------------------------------------------------------------------------------------------

    def _follow(self, frame: Frame) -> None:
        if frame.playing != self._playing:
            self._playing = frame.playing
            self.bar.set_playing(frame.playing)
        self.bar.set_cameras(frame.cameras, frame.camera)

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
            self._bench.report(error, self.tr("Viewport"))

    def _save_picture(self, image: QImage) -> None:
        folder = self._bench.runs_folder

        def work() -> Path:
            path = folder / f"viewport-{time.strftime('%Y%m%d-%H%M%S')}.png"
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DataError(
                    f"The folder cannot be made ({error.strerror}).", str(folder), "Choose another."
                ) from None
            if not image.save(str(path)):
                raise DataError(
                    "The picture cannot be written.", str(path), "Free space or choose another runs folder."
                )
            return path

        self._bench.background(
            work, lambda path: self._bench.toast.emit("info", self.tr("The picture is saved: {0}").format(path), "")
        )


PANEL = PanelInfo(
    id="viewport",
    title="Viewport",
    summary="The policy alive: expert, current, a checkpoint or random, on the source or the target.",
    area="center",
    order=10,
    factory=ViewportPanel,
)
