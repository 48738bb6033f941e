"""The viewport: shows the render thread's newest picture, takes the mouse and keys, paints the chips over it."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDropEvent,
    QFontMetrics,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets import opening, theme
from widgets.grab import PULL, TURN
from widgets.render_stage import Frame
from widgets.render_thread import RenderThread
from widgets.viewport_keys import command_of, help_text

FLASH_SECONDS = 0.8
INSET = 128  # px, side of the picture in picture
# Chips lie on the picture, whose brightness does not follow the scheme: dark glass with light text reads on all of it.
GLASS, INK, FAINT = QColor(16, 19, 24, 178), QColor(240, 243, 247), QColor(176, 184, 196)
GREEN, AMBER, RED = QColor(62, 207, 154), QColor(240, 184, 73), QColor(255, 123, 134)
DROPPED = ("embodiment", "dataset")  # what may be dropped on the picture to be looked at


class Viewport(QWidget):
    """Draws frames; its thread is the caller's."""

    frame_shown = Signal(object)  # Frame, at most as often as the screen
    play_toggled = Signal()
    step_asked = Signal()
    reset_asked = Signal()
    back_asked = Signal()
    camera_asked = Signal(int)  # 0 free, 1 … 9 the model's cameras
    asked = Signal(str)  # any other of viewport_keys.COMMANDS
    dropped = Signal(object)  # Path of a model or dataset to be looked at

    def __init__(self, thread: RenderThread, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thread = thread
        self.frame = Frame()
        self.policy_text = ""
        self.looking_at = ""  # name of a file that is shown in place of the experiment's domain
        self.notice = self.tr("The viewport starts with the plugins…")
        self._picture: QImage | None = None
        self._inset: QImage | None = None
        self._successes: tuple[int, int] | None = None  # (model, successes) of the last frame
        self._flash_until = 0.0
        self._flash = QTimer(self)  # ends the flash where no further frame comes
        self._flash.setSingleShot(True)
        self._flash.timeout.connect(self.update)
        self._drag: QPointF | None = None
        self._grabbing = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 140)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.tr("Viewport"))
        self.setAccessibleDescription(help_text())
        self.setAcceptDrops(True)
        thread.frame_ready.connect(self._take)

    def sizeHint(self) -> QSize:
        return QSize(640, 480)

    def set_notice(self, text: str) -> None:
        """What is written where there is no picture yet."""
        self.notice = text
        self.update()

    # -- frames ------------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        frame = self._thread.take()
        if frame is None:
            return
        self.frame = frame
        if frame.image is not None:
            self._picture = frame.image
        self._inset = frame.inset
        counted = (frame.model, int(frame.info.get("successes", 0)))
        before, self._successes = self._successes, counted
        if before is not None and before[0] == counted[0] and counted[1] > before[1]:
            self._flash_until = time.monotonic() + FLASH_SECONDS
            self._flash.start(round(1000 * FLASH_SECONDS) + 20)
        self.update()
        self.frame_shown.emit(frame)

    def _tell_size(self) -> None:
        ratio = self.devicePixelRatioF()
        self._thread.set_size(max(16, round(self.width() * ratio)), max(16, round(self.height() * ratio)))

    def showEvent(self, event: QShowEvent) -> None:
        self._tell_size()
        self._thread.set_visible(True)
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._thread.set_visible(False)
        super().hideEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._tell_size()
        super().resizeEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._tell_size()
        return super().event(event)

    # -- painting ----------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._picture is None:
            self._paint_words(painter, self.frame.message or self.notice, bool(self.frame.message))
            return
        self._paint_picture(painter)
        painter.setFont(theme.small_font())
        self._paint_chips(painter)
        if self._inset is not None:
            self._paint_inset(painter, self._inset)
        if self.frame.message:
            self._paint_banner(painter, self.frame.message)

    def _paint_picture(self, painter: QPainter) -> None:
        picture, ratio = self._picture, self.devicePixelRatioF()
        assert picture is not None
        if picture.size() == QSize(round(self.width() * ratio), round(self.height() * ratio)):
            picture.setDevicePixelRatio(ratio)
            painter.drawImage(0, 0, picture)
            return
        size = picture.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatioByExpanding)  # while being resized
        target = QRect(
            (self.width() - size.width()) // 2, (self.height() - size.height()) // 2, size.width(), size.height()
        )
        painter.drawImage(target, picture)

    def _paint_chips(self, painter: QPainter) -> None:
        frame, x, y = self.frame, theme.MEDIUM, theme.MEDIUM
        info = frame.info
        texts: list[tuple[str, QColor]] = []
        if self.looking_at:
            texts.append((self.looking_at, INK))
        elif frame.waiting:
            texts.append((self.tr("waiting for the first policy"), AMBER))
        elif self.policy_text:
            texts.append((self.policy_text, INK))
        if "episodes" in info:
            texts.append((self.tr("frame {0} of {1}").format(info["step"] + 1, frame.moment[1]), INK))
            if info["name"]:
                texts.append((info["name"], INK))
        elif "step" in info:
            texts.append((self.tr("episode {0} · step {1}").format(info["episode"], info["step"]), INK))
        elif "time" in info:
            texts.append((f"{info['time']:.2f} s", INK))
        if frame.preview and not self.looking_at:
            texts.append((self.tr("randomization preview"), INK))
        if frame.selected:
            texts.append((frame.selected, AMBER))
        if frame.filmed is not None:
            texts.append((self.tr("● recording {0}:{1:02d}").format(*divmod(int(frame.filmed), 60)), RED))
        flashing = time.monotonic() < self._flash_until
        if flashing:
            texts.append((self.tr("success"), GREEN))
        for text, ink in texts:
            x += self._chip(painter, text, x, y, ink) + theme.SMALL
        if frame.playing and not frame.waiting:
            numbers = self.tr("{0:.0f} fps · {1:.2f}×").format(frame.fps, frame.speed)
        else:
            numbers = self.tr("waiting") if frame.waiting else self.tr("paused")
        width = self._chip_width(painter, numbers)
        right = self.width() - width - theme.MEDIUM
        self._chip(painter, numbers, right, y if right > x else y + 24, FAINT)
        if flashing:
            painter.setPen(QPen(GREEN, 3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5))

    def _chip_width(self, painter: QPainter, text: str) -> int:
        return QFontMetrics(painter.font()).horizontalAdvance(text) + 2 * theme.MEDIUM

    def _chip(self, painter: QPainter, text: str, x: int, y: int, ink: QColor) -> int:
        box = QRect(x, y, self._chip_width(painter, text), QFontMetrics(painter.font()).height() + 6)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(GLASS)
        painter.drawRoundedRect(box, theme.RADIUS, theme.RADIUS)
        painter.setPen(ink)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        return box.width()

    def _paint_inset(self, painter: QPainter, image: QImage) -> None:
        side = min(INSET, self.height() // 2, self.width() // 2)
        box = QRect(self.width() - side - theme.MEDIUM - 1, self.height() - side - theme.MEDIUM - 1, side, side)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)  # the policy's own pixels, not a blur
        painter.drawImage(box, image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(GLASS)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(box.adjusted(-1, -1, 0, 0))
        caption = self.tr("what the policy sees")
        width = self._chip_width(painter, caption)
        self._chip(painter, caption, box.right() - width + 1, box.top() - 26, FAINT)

    def _paint_banner(self, painter: QPainter, text: str) -> None:
        wide = self.width() - 2 * theme.LARGE
        flags = Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        inner = QFontMetrics(painter.font()).boundingRect(QRect(0, 0, wide - 24, self.height() // 2), flags, text)
        box = QRect(theme.LARGE, self.height() - inner.height() - 16 - theme.LARGE, wide, inner.height() + 16)
        painter.setPen(QPen(theme.color("error"), 1))
        painter.setBrush(theme.color("raised"))
        painter.drawRoundedRect(box, theme.RADIUS, theme.RADIUS)
        painter.setPen(theme.color("error"))
        painter.drawText(box.adjusted(12, 8, -12, -8), flags, text)

    def _paint_words(self, painter: QPainter, text: str, wrong: bool) -> None:
        painter.fillRect(self.rect(), theme.color("plot_background"))
        painter.setPen(theme.color("error" if wrong else "muted"))
        wide = min(460, self.width() - 2 * theme.LARGE)
        box = QRect((self.width() - wide) // 2, 0, wide, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)

    # -- mouse and keys ----------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag = event.position()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._grabbing = True
            self._thread.select(*self._place(event))
            flat = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._thread.grab(TURN if event.button() == Qt.MouseButton.LeftButton else PULL, flat)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is None or not event.buttons():
            return
        move, self._drag = event.position() - self._drag, event.position()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        left = bool(event.buttons() & Qt.MouseButton.LeftButton)
        height = max(1, self.height())
        if self._grabbing:
            self._thread.drag(move.x() / height, move.y() / height)
            return
        self._thread.move_camera("orbit" if left and not shift else "pan", move.x() / height, move.y() / height)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not event.buttons():
            self._drag = None
            if self._grabbing:
                self._grabbing = False
                self._thread.release()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._drag = None
        self._thread.select(*self._place(event))
        if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._thread.center_at(*self._place(event))

    def _place(self, event: QMouseEvent) -> tuple[float, float]:
        where = event.position()
        return where.x() / max(1, self.width()), where.y() / max(1, self.height())

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._thread.move_camera("zoom", event.angleDelta().y() / 120)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        command = command_of(event)
        plain = {"play": self.play_toggled, "step": self.step_asked, "back": self.back_asked, "reset": self.reset_asked}
        if command in plain:
            plain[command].emit()
        elif command.startswith("camera "):
            self.camera_asked.emit(int(command.split()[1]))
        elif command:
            self.asked.emit(command)
        else:
            super().keyPressEvent(event)

    # -- files ---------------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._droppable(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = self._droppable(event)
        if path is not None:
            event.acceptProposedAction()
            self.dropped.emit(path)

    def _droppable(self, event: QDropEvent) -> Path | None:
        """The first file that can be looked at; others are the window's."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        return next((path for path in paths if opening.kind_of(path) in DROPPED), None)
