"""A viewport panel with a real player, and hands to use it: what tests of it share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from plugins.panels.viewport import ViewportPanel
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.viewer.player import Player
from widgets.shell.app_state import AppState
from widgets.viewport.frame import Frame

DOMAIN = Domain(embodiment="ur5_6dof", observation="goal", image_size=32)
LEFT, RIGHT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.NoButton
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class Held:
    """A panel on the screen, and hands to use it."""

    def __init__(self, qtbot: Any, app_state: AppState) -> None:
        self.qtbot, self.app_state = qtbot, app_state
        self.players: list[Any] = []
        self.toasts: list[tuple[str, str]] = []
        app_state.toast.connect(self._note)
        self.panel = ViewportPanel(app_state, self._make)
        qtbot.addWidget(self.panel)
        self.panel.resize(720, 480)
        self.panel.show()
        self.view, self.bar, self.side = self.panel.view, self.panel.bar, self.panel.side
        app_state.registry_is_ready = True
        app_state.registry_ready.emit()
        self.until(lambda: self.frame.image is not None)

    def _make(self, domain: Domain) -> Any:
        self.players.append(Player(resolve(DOMAIN, Registry()), "expert", seed=3))
        return self.players[-1]

    def _note(self, level: str, text: str, details: str) -> None:
        self.toasts.append((level, text))

    @property
    def frame(self) -> Frame:
        return self.view.frame

    @property
    def player(self) -> Any:
        return self.players[-1]

    def until(self, true: Callable[[], Any]) -> None:
        self.qtbot.waitUntil(lambda: bool(true()), timeout=20_000)

    def key(self, key: Qt.Key) -> None:
        self.qtbot.keyClick(self.view, key)

    def pause(self) -> None:
        self.until(lambda: self.frame.playing)
        self.key(Qt.Key.Key_Space)
        self.until(lambda: not self.frame.playing)

    def mouse(self, kind: QEvent.Type, x: float, y: float, button: Any, held: Any, keys: Any) -> None:
        where = QPointF(x, y)
        event = QMouseEvent(kind, where, QPointF(self.view.mapToGlobal(where.toPoint())), button, held, keys)
        QApplication.sendEvent(self.view, event)

    def press(self, x: float, y: float, button: Any, keys: Any) -> None:
        self.mouse(QEvent.Type.MouseButtonPress, x, y, button, button, keys)

    def move(self, x: float, y: float, button: Any, keys: Any) -> None:
        self.mouse(QEvent.Type.MouseMove, x, y, NONE, button, keys)

    def let_go(self, x: float, y: float, button: Any, keys: Any) -> None:
        self.mouse(QEvent.Type.MouseButtonRelease, x, y, button, NONE, keys)

    def place_of(self, name: str) -> tuple[float, float]:
        """Where a body is on the screen."""
        player = self.player
        camera = mujoco.MjvCamera()
        visual, stat = player.model.vis.global_, player.model.stat
        camera.lookat[:] = stat.center
        camera.distance, camera.azimuth, camera.elevation = 1.5 * stat.extent, visual.azimuth, visual.elevation
        scene = mujoco.MjvScene(player.model, maxgeom=500)
        mujoco.mjv_updateScene(
            player.model, player.data, mujoco.MjvOption(), None, camera, mujoco.mjtCatBit.mjCAT_ALL.value, scene
        )
        eye = (np.array(scene.camera[0].pos) + np.array(scene.camera[1].pos)) / 2
        forward, up = np.array(scene.camera[0].forward), np.array(scene.camera[0].up)
        offset = player.data.body(name).xpos - eye
        depth = offset @ forward
        half = np.tan(np.radians(visual.fovy / 2)) * depth
        height, width = self.view.height(), self.view.width()
        x, y = offset @ np.cross(forward, up) / half, offset @ up / half
        return width / 2 + x * height / 2, height / 2 - y * height / 2
