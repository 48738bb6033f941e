"""Frames in the viewport: how they fill it, how their numbers are read, and how large the thread makes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from plugins.panels.viewport import ViewportPanel
from studio.experiment import Experiment
from studio.registry import Registry
from studio.sim.domains import resolve
from widgets.shell.app_state import AppState
from widgets.viewport.frame import Frame
from widgets.viewport.render_stage import Stage
from widgets.viewport.scene_renderer import LEVELS

INTERVAL = 1 / 30


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> Iterator[ViewportPanel]:
    made = ViewportPanel(app_state)
    qtbot.addWidget(made)
    made.resize(600, 460)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.shut_down()


def picture(panel: ViewportPanel) -> QImage:
    image = QImage(panel.view.width() // 2, panel.view.height() // 2, QImage.Format.Format_RGB32)
    image.fill(0x405060)
    return image


def running(step: int, image: QImage, cameras: tuple[str, ...] = ("front", "top")) -> Frame:
    info = {"episode": 1, "step": step, "time": step / 20, "successes": 0}
    return Frame(image, info=info, playing=True, fps=30.0 + step % 2, speed=1.0, cameras=cameras,
                 moment=(step, step + 1, 0.05))  # fmt: skip


def test_a_coarse_picture_fills_the_view(panel: ViewportPanel) -> None:
    panel.view.show_frame(running(1, picture(panel)))
    QApplication.processEvents()
    seen = panel.view.grab().toImage()
    width, height = seen.width(), seen.height()
    for x, y in ((0, height - 1), (width - 1, height - 1), (width - 1, height // 2), (width // 2, 0)):
        assert seen.pixelColor(x, y).name() == "#405060"


def test_running_numbers_change_a_few_times_a_second(panel: ViewportPanel) -> None:
    image = picture(panel)
    panel.view.show_frame(running(0, image))
    written = panel.view.overlays.texts
    for step in range(1, 5):
        panel.view.show_frame(running(step, image))
    assert panel.view.overlays.texts is written, "four pictures within a moment are one reading"
    panel.view.show_frame(replace(running(5, image), playing=False))
    assert "episode 1 · step 5" in panel.view.overlays.texts and panel.history.slider.value() == 5
    panel.view.set_policy("random")
    assert "random" in panel.view.overlays.texts, "who drives the robot shows at once"


def test_a_coarse_picture_is_named_and_explained(panel: ViewportPanel, app_state: AppState) -> None:
    overlays, corner = panel.view.overlays, QPoint(panel.view.width() - 20, 15)
    panel.view.show_frame(running(1, picture(panel).scaled(panel.view.size())))
    assert "detail" not in overlays.pace and not overlays.explanation_at(corner)
    panel.view.show_frame(replace(running(2, picture(panel)), waiting=True))
    assert "detail" not in overlays.pace, "a standing picture is drawn finely"
    panel.view.show_frame(running(3, picture(panel)))
    assert overlays.pace.startswith("reduced detail · ")
    assert "30 frames per second" in overlays.explanation_at(corner)
    app_state.running_changed.emit(True)
    assert "training gets most of the processor" in overlays.explanation_at(corner)
    assert not overlays.explanation_at(QPoint(20, 15))


def test_a_picture_is_not_stretched_on_the_render_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.viewer.player import Player

    stage = Stage()
    try:
        stage.obey("player", lambda: Player(resolve(Experiment().target, Registry())))
        stage.obey("size", (200, 150))
        moments = [100.0]
        monkeypatch.setattr("time.perf_counter", lambda: moments[-1])

        def one() -> None:
            moved = stage.advance(moments[-1], INTERVAL)
            stage.draw(moved, INTERVAL, 0.0)

        for _ in range(60):
            moments.append(moments[-1] + INTERVAL)
            one()
        frame = stage.draw(True, INTERVAL, 0.0)
        assert frame.image is not None
        scale = LEVELS[frame.level].scale
        assert frame.image.width() == round(200 * scale), "not stretched on this thread, which holds the interpreter"
    finally:
        stage.close()
