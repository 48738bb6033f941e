"""The viewport and its panel: picture, mouse, keys, policies, domains, and its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent

from plugins.panels.viewport import PANEL, ViewportPanel, load_checkpoint
from studio.experiment import Domain
from tests.widgets.viewport.fake_player import FakePlayer
from widgets.shell.app_state import AppState
from widgets.viewport.frame import Frame
from widgets.viewport.view import Viewport


class Recorder:
    """A thread that notes what is requested of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.frame_ready = SimpleNamespace(connect=lambda slot: None)

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.calls.append((name, *args))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == name]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def view(qtbot: Any, recorder: Recorder) -> Viewport:
    made = Viewport(recorder)
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.show()
    return made


def show(view: Viewport, frame: Frame) -> None:
    view.show_frame(frame)


def filled(color: Qt.GlobalColor, width: int = 400, height: int = 300) -> QImage:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(color)
    return image


def test_the_newest_picture_is_painted(view: Viewport) -> None:
    show(view, Frame(image=filled(Qt.GlobalColor.red)))
    assert view.grab().toImage().pixelColor(200, 200).name() == "#ff0000"
    show(view, Frame(image=filled(Qt.GlobalColor.blue, 200, 150)))  # of before a resize: stretched
    assert view.grab().toImage().pixelColor(200, 200).name() == "#0000ff"


def test_the_inset_is_enlarged_without_blur(view: Viewport) -> None:
    inset = filled(Qt.GlobalColor.white, 2, 2)
    inset.setPixelColor(0, 0, Qt.GlobalColor.green)
    show(view, Frame(image=filled(Qt.GlobalColor.red), inset=inset))
    seen = view.grab().toImage()
    left, top = 400 - 128 - 9, 300 - 128 - 9
    assert seen.pixelColor(left + 60, top + 60) == Qt.GlobalColor.green
    assert seen.pixelColor(left + 68, top + 68) == Qt.GlobalColor.white


def test_a_success_flashes(view: Viewport) -> None:
    frame = Frame(image=filled(Qt.GlobalColor.red), info={"successes": 1, "episode": 1, "step": 3}, model=1)
    show(view, frame)
    assert view.grab().toImage().pixelColor(0, 150).name() == "#ff0000", "what was won before is no news"
    show(view, replace(frame, info={**frame.info, "successes": 2}))
    assert view.grab().toImage().pixelColor(0, 150).name() != "#ff0000"


def test_a_message_stands_where_no_picture_is(view: Viewport) -> None:
    blank = view.grab().toImage()
    show(view, Frame(message="No OpenGL context can be created. Install Mesa's drivers."))
    assert view.grab().toImage() != blank


def test_mouse_moves_the_camera(view: Viewport, recorder: Recorder, qtbot: Any) -> None:
    left, right, shift = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.KeyboardModifier.ShiftModifier
    for button, keys in (
        (left, Qt.KeyboardModifier.NoModifier),
        (right, Qt.KeyboardModifier.NoModifier),
        (left, shift),
    ):
        drag(view, button, keys)
    moves = recorder.named("move_camera")
    assert [move[0] for move in moves] == ["orbit", "pan", "pan"]
    assert moves[0][1:] == pytest.approx((60 / 300, 30 / 300))
    where = QPointF(100, 100)
    wheel = QWheelEvent(
        where, where, QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    view.wheelEvent(wheel)
    assert recorder.named("move_camera")[-1] == ("zoom", 2.0)
    qtbot.mouseDClick(view, left, pos=QPoint(100, 75))
    assert recorder.named("center_at")[-1] == pytest.approx((0.25, 0.25))


def drag(view: Viewport, button: Qt.MouseButton, keys: Qt.KeyboardModifier) -> None:
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent

    for kind, x, y, held in (
        (QEvent.Type.MouseButtonPress, 100, 100, button),
        (QEvent.Type.MouseMove, 160, 130, button),
        (QEvent.Type.MouseButtonRelease, 160, 130, Qt.MouseButton.NoButton),
    ):
        event = QMouseEvent(kind, QPointF(x, y), QPointF(x, y), button, held, keys)
        {
            QEvent.Type.MouseButtonPress: view.mousePressEvent,
            QEvent.Type.MouseMove: view.mouseMoveEvent,
            QEvent.Type.MouseButtonRelease: view.mouseReleaseEvent,
        }[kind](event)


def test_keys(view: Viewport, qtbot: Any) -> None:
    asked: list[Any] = []
    view.play_toggled.connect(lambda: asked.append("play"))
    view.step_asked.connect(lambda: asked.append("step"))
    view.reset_asked.connect(lambda: asked.append("reset"))
    view.camera_asked.connect(asked.append)
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Right, Qt.Key.Key_R, Qt.Key.Key_0, Qt.Key.Key_2):
        qtbot.keyClick(view, key)
    assert asked == ["play", "step", "reset", 0, 2]


def test_the_thread_knows_size_and_visibility(view: Viewport, recorder: Recorder) -> None:
    assert recorder.named("set_size")[-1] == (400, 300)
    assert recorder.named("set_visible")[-1] == (True,)
    view.hide()
    assert recorder.named("set_visible")[-1] == (False,)


# -- the panel ---------------------------------------------------------------------------------


class Shown:
    def __init__(self, qtbot: Any, app_state: AppState, kept: bool = True) -> None:
        self.qtbot, self.app_state = qtbot, app_state
        self.domains: list[Domain] = []
        self.players: list[Any] = []
        self.load: Callable[[Path, int], Any] = load_checkpoint
        self.panel = ViewportPanel(app_state, self._make, lambda folder, step: self.load(folder, step))
        if kept:
            qtbot.addWidget(self.panel)
        self.panel.resize(600, 400)
        self.panel.show()

    def _make(self, domain: Domain) -> Any:
        self.domains.append(domain)
        self.players.append(FakePlayer())
        return self.players[-1]

    def until(self, true: Any) -> None:
        self.qtbot.waitUntil(true, timeout=15_000)

    def ready(self) -> Shown:
        self.app_state.registry_is_ready = True
        self.app_state.registry_ready.emit()
        self.until(lambda: self.panel.view.frame.image is not None)
        return self


@pytest.fixture
def shown(qtbot: Any, app_state: AppState) -> Iterator[Shown]:
    made = Shown(qtbot, app_state)
    yield made
    made.panel.shut_down()
    assert not made.panel.thread_.isRunning()


def test_nothing_runs_before_the_plugins_are_there(shown: Shown, qtbot: Any) -> None:
    qtbot.wait(150)
    assert not shown.panel.thread_.isRunning()
    assert shown.domains == []
    shown.ready()
    assert shown.domains[0].embodiment == "ur5_6dof"


def test_domain_buttons_and_edits_rebuild_the_player(shown: Shown, app_state: AppState, qtbot: Any) -> None:
    shown.ready()
    shown.panel.bar.domain.set_key("source")
    shown.panel.bar.domain.chosen.emit("source")
    shown.until(lambda: len(shown.domains) == 2)
    assert shown.domains[-1].embodiment == "franka_7dof"
    app_state.edit(**{"target.embodiment": "mobile_3dof"})
    app_state.edit(**{"budget.iterations": 7})
    qtbot.wait(700)
    assert len(shown.domains) == 2, "what is not shown does not disturb what is"
    app_state.edit(**{"source.camera": "top"})
    app_state.edit(**{"source.image_size": 96})
    shown.until(lambda: len(shown.domains) == 3)
    assert (shown.domains[-1].camera, shown.domains[-1].image_size) == ("top", 96)


def test_policies(shown: Shown, app_state: AppState) -> None:
    shown.ready()
    shown.panel.sources.choose_policy("random")
    shown.until(lambda: shown.players[-1].policy == "random")
    shown.panel.sources.choose_policy("current")
    shown.until(lambda: shown.panel.view.frame.waiting)
    app_state.channels.policy.set("the policy in training")
    shown.until(lambda: shown.players[-1].policy == "the policy in training")


def test_a_checkpoint_plays_in_its_own_domain(shown: Shown, app_state: AppState, tmp_path: Path) -> None:
    shown.ready()
    shown.load = lambda folder, step: f"policy of step {step}"
    run = tmp_path / "run"
    run.mkdir()
    own = app_state.experiment.changed(**{"target.embodiment": "mobile_3dof"})
    (run / "experiment.yaml").write_text(own.to_yaml(), encoding="utf-8")
    app_state.checkpoint_chosen.emit(run, 400)
    shown.until(lambda: shown.players[-1].policy == "policy of step 400")
    assert shown.domains[-1].embodiment == "mobile_3dof"
    assert "400" in shown.panel.view.overlays.policy
    shown.panel.sources.choose_policy("expert")
    shown.until(lambda: shown.domains[-1].embodiment == "ur5_6dof")


def test_a_checkpoint_plays_though_the_task_has_no_expert(shown: Shown, app_state: AppState, tmp_path: Path) -> None:
    shown.ready()
    read = threading.Event()
    shown.load = lambda folder, step: read.wait(20) and "the checkpoint's policy"
    body = {"embodiment": "half_cheetah", "task": "half_cheetah", "control": "motor", "observation": "state"}
    own = app_state.experiment.changed(target=body)
    (tmp_path / "experiment.yaml").write_text(own.to_yaml(), encoding="utf-8")
    app_state.checkpoint_chosen.emit(tmp_path, 400)
    app_state.set_experiment(own)
    shown.until(lambda: shown.panel.bar.policy.currentData() == "random")
    read.set()
    shown.until(lambda: shown.players[-1].policy == "the checkpoint's policy")


def test_a_broken_checkpoint_becomes_a_toast_and_play_goes_on(
    shown: Shown, app_state: AppState, tmp_path: Path
) -> None:
    shown.ready()
    with shown.qtbot.waitSignal(app_state.toast, timeout=15_000) as caught:
        app_state.checkpoint_chosen.emit(tmp_path / "nowhere", 1)
    assert caught.args[0] == "error"
    assert shown.panel.view.overlays.policy == "expert"


def test_the_bars_controls_reach_the_player(shown: Shown, app_state: AppState) -> None:
    panel = shown.ready().panel
    shown.until(lambda: panel.view.frame.playing)
    panel.bar.play.click()
    shown.until(lambda: not panel.view.frame.playing)
    panel.bar.step.click()
    shown.until(lambda: shown.players[-1].steps == 1)
    panel.bar.camera.activated.emit(panel.bar.camera.findData("top"))
    shown.until(lambda: panel.view.frame.camera == "top" and panel.bar.camera.currentData() == "top")
    panel.view.camera_asked.emit(1)
    shown.until(lambda: panel.view.frame.camera == "front")
    panel.bar.inset.click()
    shown.until(lambda: panel.view.frame.inset is not None)
    app_state.preview_changed.emit({"brightness": 0.25})
    shown.until(lambda: shown.players[-1].values == {"brightness": 0.25})
    before = shown.players[-1].seed
    panel.bar.seed.click()
    shown.until(lambda: shown.players[-1].seed != before)


def test_a_picture_is_saved(shown: Shown, app_state: AppState, tmp_path: Path) -> None:
    panel = shown.ready().panel
    with shown.qtbot.waitSignal(app_state.toast, timeout=15_000) as caught:
        panel.bar.picture.click()
    assert caught.args[0] == "info"
    (saved,) = tmp_path.glob("viewport-*.png")
    assert QImage(str(saved)).width() == panel.view.width()


def test_a_dropped_panel_ends_its_thread(qtbot: Any, app_state: AppState) -> None:
    shown = Shown(qtbot, app_state, kept=False).ready()
    thread = shown.panel.thread_
    shown.panel.deleteLater()
    qtbot.waitUntil(thread.isFinished, timeout=5_000)


def test_the_contribution_is_complete() -> None:
    assert (PANEL.id, PANEL.area) == ("viewport", "center")
    assert PANEL.factory is ViewportPanel
