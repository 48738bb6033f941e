"""The render thread: commands, frames, pace, quality, failures, and its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QImage

from studio.errors import StudioError
from tests.widgets.viewport.fake_player import FakePlayer
from widgets.shell.mailbox import Mailbox, Slot
from widgets.viewport.frame import Frame
from widgets.viewport.render_thread import RenderThread
from widgets.viewport.scene_renderer import LEVELS, QualityControl


class RunningThread(QObject):
    """A running thread, its player, and its newest frame. A QObject: its connections end with it."""

    def __init__(self, qtbot: Any, **player: Any) -> None:
        super().__init__()
        self.qtbot = qtbot
        self.worker = RenderThread()
        self.players: list[Any] = []
        self.frames = 0
        self.frame = Frame()
        self.errors: list[Exception] = []
        self.worker.frame_ready.connect(self._take)
        self.worker.failed.connect(self._note)
        self.worker.set_size(160, 120)
        self.worker.show_domain(lambda: self._make(player))

    def _make(self, player: dict[str, Any]) -> Any:
        self.players.append(FakePlayer(**player))
        return self.players[-1]

    @property
    def player(self) -> Any:
        return self.players[-1]

    def start(self, play: bool = True) -> RunningThread:
        self.worker.play(play)
        self.worker.start()
        self.until(lambda: self.frame.image is not None)
        return self

    def until(self, true: Callable[[], bool], seconds: float = 15.0) -> None:
        self.qtbot.waitUntil(true, timeout=round(1000 * seconds))

    def _note(self, error: Exception) -> None:
        self.errors.append(error)

    def _take(self) -> None:
        frame = self.worker.take()
        if frame is not None:
            self.frame, self.frames = frame, self.frames + 1


@pytest.fixture
def watched(qtbot: Any) -> Iterator[RunningThread]:
    made = RunningThread(qtbot)
    yield made
    assert made.worker.end(5_000), "the render thread did not end"


def colors(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def test_it_plays_in_real_time_on_its_own_thread(watched: RunningThread) -> None:
    watched.start()
    watched.until(lambda: watched.frame.speed > 0.8 and watched.frames > 20)
    assert watched.frame.speed < 1.2
    assert watched.frame.fps > 10
    assert threading.get_ident() not in watched.player.threads
    assert watched.frame.cameras == ("front", "top")
    size = watched.frame.image.width(), watched.frame.image.height()
    assert size in {(round(160 * q.scale), round(120 * q.scale)) for q in LEVELS}, "coarser where time is short"


def test_speed_slows_the_simulation(watched: RunningThread) -> None:
    watched.worker.set_speed(0.25)
    watched.start()
    watched.until(lambda: watched.frames > 20)
    assert 0.15 < watched.frame.speed < 0.35


def test_the_picture_shows_the_scene_upright(watched: RunningThread) -> None:
    watched.start(play=False)
    pixels = colors(watched.frame.image)
    red = (pixels[..., 0] > 90) & (pixels[..., 1] < 60)
    assert red.sum() > 50, "the red arm is not in the picture"
    assert not np.array_equal(pixels[:10], pixels[-10:])
    watched.worker.set_camera("top")
    watched.until(lambda: watched.frame.camera == "top")
    assert not np.array_equal(colors(watched.frame.image), pixels)


def test_a_pause_costs_nothing_and_a_command_wakes_it(watched: RunningThread) -> None:
    watched.start(play=False)
    watched.qtbot.wait(900)  # long enough for the fine picture of a paused simulation
    drawn, began = watched.frames, time.process_time()
    watched.qtbot.wait(700)
    assert watched.frames == drawn
    assert time.process_time() - began < 0.2
    watched.worker.move_camera("orbit", 0.2, 0.0)
    watched.until(lambda: watched.frames > drawn)


def test_hidden_it_neither_draws_nor_simulates(watched: RunningThread) -> None:
    watched.start()
    watched.worker.set_visible(False)
    watched.qtbot.wait(300)
    drawn, simulated = watched.frames, watched.player.time
    watched.qtbot.wait(300)
    assert (watched.frames, watched.player.time) == (drawn, simulated)
    watched.worker.set_visible(True)
    watched.until(lambda: watched.frames > drawn + 3)


def test_step_pauses_and_takes_one_control_step(watched: RunningThread) -> None:
    watched.start()
    watched.worker.step()
    watched.until(lambda: not watched.frame.playing)
    assert watched.player.steps == 1


def test_reset_takes_a_seed(watched: RunningThread) -> None:
    watched.start(play=False)
    watched.worker.reset(42)
    watched.until(lambda: watched.player.seed == 42)


def test_a_preview_holds_over_players_until_it_is_ended(watched: RunningThread) -> None:
    watched.worker.set_inset(True)
    watched.start()
    watched.worker.preview({"brightness": 0.5})
    watched.until(lambda: watched.frame.preview and watched.frame.inset is not None)
    watched.until(lambda: int(colors(watched.frame.inset)[0, 0, 1]) == 64)
    watched.worker.show_domain(lambda: watched._make({}))
    watched.until(lambda: len(watched.players) == 2 and watched.player.values == {"brightness": 0.5})
    assert watched.players[0].closed
    watched.worker.preview({})
    watched.until(lambda: not watched.frame.preview and watched.player.values == {})


def test_the_current_policy_is_waited_for_then_played(watched: RunningThread) -> None:
    latest: list[Any] = [(0, None)]
    watched.worker.set_policy(None, lambda: latest[0])
    watched.start()
    watched.until(lambda: watched.frame.waiting)
    held = watched.player.time
    watched.qtbot.wait(200)
    assert watched.player.time == held, "nothing may move before there is a policy"
    latest[0] = (1, "first policy")
    watched.until(lambda: watched.player.policy == "first policy" and not watched.frame.waiting)
    latest[0] = (2, "second policy")
    watched.until(lambda: watched.player.policy == "second policy")


def test_a_failing_policy_is_reported_and_the_thread_goes_on(qtbot: Any) -> None:
    watched = RunningThread(qtbot, fails=True)
    watched.worker.play(True)
    watched.worker.start()
    try:
        watched.until(lambda: "the policy gave NaN" in watched.frame.message)
        assert not watched.frame.playing
        assert len(watched.errors) == 1
        watched.player.fails = False
        watched.worker.play(True)
        watched.until(lambda: watched.frame.image is not None and not watched.frame.message)
    finally:
        assert watched.worker.end(5_000)


def test_a_domain_that_fails_does_not_stop_other_commands(watched: RunningThread) -> None:
    def broken() -> Any:
        raise StudioError("The model file does not exist.", "target.embodiment", "Check the path.")

    watched.start()
    watched.worker.show_domain(broken)
    watched.worker.set_size(100, 80)
    watched.until(lambda: "does not exist" in watched.frame.message and not watched.frame.playing)
    watched.worker.show_domain(lambda: watched._make({}))
    watched.until(lambda: not watched.frame.message and watched.frame.image is not None)
    widths = {round(100 * quality.scale) for quality in LEVELS}
    watched.until(lambda: watched.frame.image is not None and watched.frame.image.width() in widths)
    watched.until(lambda: watched.frame.playing and watched.player.time > 0)


@pytest.mark.parametrize("how", ["preview", "player"])
def test_what_was_paused_stays_paused_when_a_failure_is_over(watched: RunningThread, how: str) -> None:
    def broken(*_: Any) -> Any:
        raise StudioError("The delay is too long.")

    watched.start(play=False)
    if how == "preview":
        watched.player.randomize, usual = broken, watched.player.randomize
        watched.worker.preview({"actuator_delay": 0.9})
    else:
        watched.worker.show_domain(broken)
    watched.until(lambda: "too long" in watched.frame.message)
    if how == "preview":
        watched.player.randomize = usual
        watched.worker.preview({})
    else:
        watched.worker.show_domain(lambda: watched._make({}))
    watched.until(lambda: not watched.frame.message and watched.frame.image is not None)
    assert not watched.frame.playing and watched.player.time == 0


def test_without_gl_it_says_so_once_and_ends(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import studio.sim.render.gl

    def none() -> Any:
        raise StudioError("No OpenGL context can be created.", "", "Install Mesa's drivers.")

    monkeypatch.setattr(studio.sim.render.gl, "thread_context", none)
    watched = RunningThread(qtbot)
    watched.worker.start()
    watched.until(lambda: "Install Mesa's drivers" in watched.frame.message)
    watched.until(watched.worker.isFinished)


@pytest.mark.parametrize("play", [True, False])
def test_it_ends_within_half_a_second(qtbot: Any, play: bool) -> None:
    watched = RunningThread(qtbot).start(play)
    began = time.perf_counter()
    assert watched.worker.end(5_000)
    assert time.perf_counter() - began < 0.5
    assert watched.player.closed


def test_a_picture_on_request_is_as_large_as_the_view(watched: RunningThread) -> None:
    watched.start(play=False)
    with watched.qtbot.waitSignal(watched.worker.captured, timeout=10_000) as caught:
        watched.worker.capture()
    assert caught.args[0].width() == 160


def test_a_double_click_centers_what_is_under_it(watched: RunningThread) -> None:
    watched.start(play=False)
    before = colors(watched.frame.image)
    watched.worker.center_at(0.5, 0.9)
    watched.until(lambda: watched.frames > 4)
    assert not np.array_equal(colors(watched.frame.image), before)


def test_slot_notifies_once_until_taken() -> None:
    slot = Slot()
    assert slot.put("a") is True
    assert slot.put("b") is False
    assert slot.take() == "b"
    assert slot.take() is None
    assert slot.put("c") is True


def test_mailbox_replaces_sums_and_wakes() -> None:
    mail = Mailbox()
    mail.post("size", (1, 1))
    mail.post("size", (2, 2))
    mail.add("orbit", 1, 2)
    mail.add("orbit", 3, 4)
    assert mail.take() == {"size": (2, 2), "orbit": (4, 6)}
    assert mail.take() == {}
    threading.Timer(0.05, mail.close).start()
    mail.wait(None)
    mail.sleep(10)
    assert mail.closed


def test_quality_falls_when_frames_are_slow_without_flicker() -> None:
    control = QualityControl(level=1)
    for _ in range(15):
        control.record(0.05, 0.025)
    assert control.level == 2
    for _ in range(100):
        control.record(0.005, 0.025)
    assert control.level == 2, "the level that was too slow is not tried again at once"
    for _ in range(200):
        control.record(0.005, 0.025)
    assert control.level < 2


def test_quality_ignores_one_late_frame_and_keeps_its_bounds() -> None:
    control = QualityControl(level=0)
    for i in range(100):
        control.record(0.5 if i % 20 == 10 else 0.005, 0.025)
    assert control.level == 0
    for _ in range(1000):
        control.record(1.0, 0.025)
    assert control.level == len(LEVELS) - 1


def test_a_task_without_an_expert_waits_for_another_policy(watched: RunningThread) -> None:
    watched.start()
    watched.worker.show_domain(lambda: watched._make({"has_expert": False}))
    watched.until(lambda: watched.frame.image is not None and "no scripted expert" in watched.frame.message)
    assert not watched.frame.playing and not watched.errors
    for ask in (watched.worker.step, lambda: watched.worker.play(True)):
        ask()
        watched.qtbot.wait(100)
        assert watched.player.time == 0 and "no scripted expert" in watched.frame.message, "nobody acts in its place"
    watched.worker.set_policy("random")
    watched.until(lambda: watched.frame.playing and not watched.frame.message)


def test_a_player_may_draw_copies_and_marks_of_its_own(watched: RunningThread) -> None:
    from studio.contracts import Ball, Ghost

    watched.start(play=False)
    plain = colors(watched.frame.image)
    watched.player.shown_ghosts = [Ghost(watched.player.data.qpos + 1.5, (0.0, 0.0, 1.0, 0.6))]
    watched.player.shown_overlays = [Ball((0.0, 0.0, 0.6), 0.1, (0.0, 1.0, 0.0, 1.0))]
    watched.worker.move_camera("orbit", 0.0, 0.0)
    watched.until(lambda: (np.abs(colors(watched.frame.image) - plain).max(-1) > 60).sum() > 50)
