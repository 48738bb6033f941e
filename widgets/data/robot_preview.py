"""A small picture of a robot in its task's scene, drawn off the UI thread, and the label that shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.experiment import Domain
from studio.registry import Registry
from widgets.shell import opening
from widgets.style import theme

WIDTH, HEIGHT = 320, 200  # rendered, px; shown at about half of that
SHADOW, SAMPLES = 1024, 4
DISTANCE = 1.9  # of the camera, in sizes of the robot
AZIMUTH, ELEVATION = 140.0, -18.0  # degrees


def render(domain: Domain, registry: Registry) -> QImage:
    """Draw the domain's robot at rest. For a background thread: it makes and frees its own GL context there.

    Raises:
        StudioError: the robot, its task or its model cannot be had, or the machine has no OpenGL.
    """
    from studio.sim import scene as scenes
    from studio.sim.domains import embodiment_of, task_of
    from studio.sim.render.still import still

    embodiment = embodiment_of(domain, registry)
    task = task_of(domain, registry)
    # a task that does not fit the robot is reported at its field; the robot is shown all the same
    scene = scenes.build(embodiment, None if task.check(embodiment) else task)
    import mujoco

    model = scene.model
    model.vis.global_.offwidth = max(model.vis.global_.offwidth, WIDTH)
    model.vis.global_.offheight = max(model.vis.global_.offheight, HEIGHT)
    model.vis.quality.shadowsize, model.vis.quality.offsamples = SHADOW, SAMPLES
    data = mujoco.MjData(model)
    data.qpos[:] = scene.home_qpos
    mujoco.mj_forward(model, data)
    robot = data.xpos[(model.body_mocapid < 0) & (np.arange(model.nbody) > 0)]
    low, high = robot.min(0), robot.max(0)
    camera = mujoco.MjvCamera()
    camera.lookat[:] = (low + high) / 2
    camera.distance = DISTANCE * max(float(np.linalg.norm(high - low)), 0.2)
    camera.azimuth, camera.elevation = AZIMUTH, ELEVATION
    pixels = still(model, data, camera, WIDTH, HEIGHT)
    return QImage(pixels.tobytes(), WIDTH, HEIGHT, 3 * WIDTH, QImage.Format.Format_RGB888).copy()


class RobotPreview(QWidget):
    """Shows the picture, cut to its frame; takes model and dataset files that are dropped on it."""

    dropped = Signal(Path)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image: QImage | None = None
        self._words = ""
        self.setAcceptDrops(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.on_change(self, self.update)

    def sizeHint(self) -> QSize:
        return QSize(130, 84)

    def show_image(self, image: QImage | None, words: str = "") -> None:
        """Show a picture, or words where there is none."""
        self.image, self._words = image, words
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        path = QPainterPath()
        path.addRoundedRect(frame, theme.RADIUS, theme.RADIUS)
        painter.fillPath(path, theme.color("raised"))
        if self.image is not None:
            painter.save()
            painter.setClipPath(path)
            scale = max(self.width() / self.image.width(), self.height() / self.image.height())
            size = self.image.size().toSizeF() * scale
            left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
            painter.drawImage(QRectF(left, top, size.width(), size.height()), self.image)
            painter.restore()
        else:
            painter.setPen(theme.color("muted"))
            painter.setFont(theme.small_font(self.font()))
            area = self.rect().adjusted(6, 4, -6, -4)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._words)
        painter.setPen(QPen(theme.color("border"), 1))
        painter.drawPath(path)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        urls = event.mimeData().urls()
        if len(urls) == 1 and opening.kind_of(Path(urls[0].toLocalFile())) in ("dataset", "embodiment"):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.dropped.emit(Path(event.mimeData().urls()[0].toLocalFile()))
