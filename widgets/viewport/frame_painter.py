"""Pictures of a player at the quality that the machine can hold, and the inset and film that go with them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import ModuleType

import numpy as np
from PySide6.QtGui import QImage

from studio.contracts import Decoration, Ghost, PlayerProtocol
from widgets.viewport.film import Film
from widgets.viewport.orbit_camera import OrbitCamera
from widgets.viewport.scene_renderer import LEVELS, STILL_LEVEL, Quality, QualityControl, SceneRenderer

INSET_SECONDS = 0.1  # between two pictures of what the policy sees
STILL_SECONDS = 0.3  # of rest, before a standing picture is drawn finely


class FramePainter:
    """Belongs to the render thread, as the GL context of its renderer does."""

    def __init__(self, mujoco: ModuleType) -> None:
        self.renderer = SceneRenderer()
        self.film = Film()
        self.size = (640, 480)  # device px
        self.decorations: Sequence[Decoration] = ()
        self.ghosts: Sequence[Ghost] = ()
        self.shows_inset = False
        self.inset: QImage | None = None  # what the policy saw last
        self.is_fine = False  # the present picture is finely drawn, as the simulation rests
        self._camera = mujoco.MjvCamera()
        self._free, self._fixed = mujoco.mjtCamera.mjCAMERA_FREE.value, mujoco.mjtCamera.mjCAMERA_FIXED.value
        self._quality = QualityControl()
        self._inset_at = 0.0  # when the inset was last drawn
        self._changed = 0.0  # when something else than the fineness of the picture last changed

    @property
    def level(self) -> int:
        """The present quality, an index of ``LEVELS``."""
        return self._quality.level

    @property
    def aspect(self) -> float:
        """Width by height."""
        return self.size[0] / max(1, self.size[1])

    def use(self, player: PlayerProtocol) -> None:
        """Draw this player's model from now on."""
        self.renderer.use(player.model)
        self.inset = None

    def refresh_inset(self) -> None:
        """Draw what the policy sees with the next picture, however new the last one is."""
        self._inset_at = 0.0

    def paint(self, player: PlayerProtocol, camera: OrbitCamera, quality: Quality) -> QImage:
        """Return a picture of the player as it is now."""
        camera.write(self._camera, player.model, self._free, self._fixed)
        return self.renderer.draw(
            player.data,
            self._camera,
            *self.size,
            quality,
            player.perturb,
            (*self.decorations, *player.overlays),
            (*self.ghosts, *player.ghosts),
        )

    def paint_next(self, player: PlayerProtocol, camera: OrbitCamera, still: bool) -> QImage:
        """Return the next picture to be shown, at the present level or finely if it is ``still``; film it too."""
        began = time.perf_counter()
        self.is_fine = still
        image = self.paint(player, camera, LEVELS[min(STILL_LEVEL, self.level) if still else self.level])
        self.film.add(image)
        if not still:
            self._changed = began
        return image

    def paint_inset(self, player: PlayerProtocol) -> None:
        """Draw what the policy sees, where that is shown and the last picture of it is old."""
        now = time.perf_counter()
        if self.shows_inset and now - self._inset_at > INSET_SECONDS:
            self.inset, self._inset_at = _image(player.observation_image()), now

    def record_cost(self, seconds: float, budget: float) -> None:
        """Note what a picture of a running simulation cost, s, and what it may cost."""
        self._quality.record(seconds, budget)

    def until_fine(self) -> float:
        """Return after how many seconds of rest the standing picture may be drawn finely."""
        return self._changed + STILL_SECONDS - time.perf_counter()


def _image(pixels: np.ndarray | None) -> QImage | None:
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    picture = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return picture.convertToFormat(QImage.Format.Format_RGB32)
