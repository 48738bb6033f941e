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

from studio.contracts import Ghost
from widgets.shell import opening
from widgets.style import theme
from widgets.viewport import canvas as viewport_canvas
from widgets.viewport import color_legend, ghost_legend
from widgets.viewport.frame import Frame
from widgets.viewport.keys import command_of, help_text
from widgets.viewport.model_sheet import DIRECTION
from widgets.viewport.perturb_controller import PULL, TURN
from widgets.viewport.render_thread import RenderThread

FLASH_SECONDS = 0.8
NUMBERS_S = 0.25  # between two readings of numbers that run
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
        self.notice = self.tr("Loading plugins…")
        self.canvas = viewport_canvas.Canvas(self)
        self.canvas.set_inset_color(GLASS)
        self._inset: QImage | None = None
        self._legend: tuple[str, float] | None = None
        self._ghosts: tuple[Ghost, ...] = ()  # those of the legend
        self._successes: tuple[int, int] | None = None  # (model, successes) of the last frame
        self._drawn: tuple[object, ...] | None = None  # what the chips were drawn from
        self._stood: tuple[object, ...] = ()
        self._written = 0.0
        self._banner = ""
        self._flashing = False
        self._flash = QTimer(self)
        self._flash.setSingleShot(True)
        self._flash.setInterval(round(1000 * FLASH_SECONDS))
        self._flash.timeout.connect(lambda: self._set_flash(False))
        self._knows_goal = False  # the person has moved a goal
        self._drag: QPointF | None = None
        self._grabbing = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 140)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.tr("Viewport"))
        self.setAccessibleDescription(help_text())
        self.setAcceptDrops(True)
        theme.on_change(self, self._lay_out)
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
        counted = (frame.model, int(frame.info.get("successes", 0)))
        before, self._successes = self._successes, counted
        if before is not None and before[0] == counted[0] and counted[1] > before[1]:
            self._flash.start()
            self._set_flash(True)
        self._show(frame)
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
        self._lay_out()
        super().resizeEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._tell_size()
            self._lay_out()
        return super().event(event)

    # -- painting ----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """After another name of what is shown or who drives it."""
        self._write_chips()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Only where there is no picture yet: the canvas covers this widget."""
        painter = QPainter(self)
        text, wrong = self.frame.message or self.notice, bool(self.frame.message)
        painter.fillRect(self.rect(), theme.color("plot_background"))
        painter.setPen(theme.color("error" if wrong else "muted"))
        wide = min(460, self.width() - 2 * theme.LARGE)
        box = QRect((self.width() - wide) // 2, 0, wide, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)

    def _show(self, frame: Frame) -> None:
        """Gives the canvas what changed."""
        canvas = self.canvas
        if frame.image is not None:
            canvas.show_picture(frame.image)
        if canvas.isHidden():
            self.update()
            return
        if frame.inset is not self._inset:
            self._inset = frame.inset
            canvas.show_inset(frame.inset, self._inset_box())
        if frame.legend != self._legend or frame.ghosts != self._ghosts:
            self._show_legend()
        now = time.monotonic()
        # numbers that run are read a few times a second; whatever else changes is shown at once
        if not frame.playing or now - self._written > NUMBERS_S or self._standing(frame) != self._stood:
            self._write_chips()
        if frame.message != self._banner:
            self._show_banner()

    def _standing(self, frame: Frame) -> tuple[object, ...]:
        """What the chips say, but for numbers that run."""
        return frame.waiting, frame.preview, frame.selected, frame.filmed is None, frame.playing, frame.inset is None

    def _texts(self) -> tuple[list[tuple[str, QColor]], str]:
        """The chips at the left, and the one at the right."""
        frame, info = self.frame, self.frame.info
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
        elif "training" in info and "step" not in info:
            texts.append((self.tr("waiting for the training"), AMBER))
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
        if self._flashing:
            texts.append((self.tr("success"), GREEN))
        if frame.playing and not frame.waiting:
            return texts, self.tr("{0:.0f} fps · {1:.2f}×").format(frame.fps, frame.speed)
        return texts, self.tr("waiting") if frame.waiting else self.tr("paused")

    def _hint(self) -> str:
        """What a person may not know of what is seen."""
        goal = self.frame.sheet.goal
        if not goal or self._knows_goal or self.looking_at:
            return ""
        return self.tr("Ctrl+drag turns the arrow") if goal == DIRECTION else self.tr("Ctrl+drag moves the goal")

    def _write_chips(self) -> None:
        """Draws the chips where their texts are others than those drawn last."""
        self._written, self._stood = time.monotonic(), self._standing(self.frame)
        texts, numbers = self._texts()
        hint = self._hint()
        inset = self._inset_box() if self._inset is not None else None
        ratio = self.devicePixelRatioF()
        drawn = (texts, numbers, hint, self.size(), ratio, inset, theme.small_font().key())
        if drawn == self._drawn:
            return
        self._drawn = drawn
        # high enough for a second row; down to the inset's caption where there is one
        high = 2 * theme.MEDIUM + 52 if inset is None else round(inset.top())
        pixmap = viewport_canvas.blank(self.width(), high, ratio)
        painter = viewport_canvas.begin(pixmap)
        painter.setFont(theme.small_font())
        x, y = theme.MEDIUM, theme.MEDIUM
        for text, ink in texts:
            x += self._chip(painter, text, x, y, ink) + theme.SMALL
        if hint:
            self._chip(painter, hint, theme.MEDIUM, y + 26, FAINT)
        right = self.width() - self._chip_width(painter, numbers) - theme.MEDIUM
        self._chip(painter, numbers, right, y if right > x else y + 24, FAINT)
        if inset is not None:
            caption = self.tr("what the policy sees")
            left = round(inset.right()) - self._chip_width(painter, caption)
            self._chip(painter, caption, left, round(inset.top()) - 26, FAINT)
        painter.end()
        self.canvas.show_chips(pixmap)

    def _chip_width(self, painter: QPainter, text: str) -> int:
        return QFontMetrics(painter.font()).horizontalAdvance(text) + 2 * theme.MEDIUM

    def _chip(self, painter: QPainter, text: str, x: int, y: int, ink: QColor) -> int:
        box = QRect(x, y, self._chip_width(painter, text), QFontMetrics(painter.font()).height() + 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(GLASS)
        painter.drawRoundedRect(box, theme.RADIUS, theme.RADIUS)
        painter.setPen(ink)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        return box.width()

    def _inset_box(self) -> QRectF:
        side = min(INSET, self.height() // 2, self.width() // 2)
        return QRectF(self.width() - side - theme.MEDIUM - 1, self.height() - side - theme.MEDIUM - 1, side, side)

    def _show_legend(self) -> None:
        self._legend, self._ghosts = self.frame.legend, self.frame.ghosts
        ratio, low = self.devicePixelRatioF(), self.height() - theme.MEDIUM
        path = None if self._legend is None else color_legend.picture(*self._legend, GLASS, INK, ratio)
        self.canvas.show_legend(path, QPointF(theme.MEDIUM, low))
        if path is not None:
            low -= round(path.height() / ratio) + theme.SMALL
        widest = round(self.width() - (self._inset_box().width() if self._inset is not None else 0)) - 3 * theme.MEDIUM
        ghosts = ghost_legend.picture(self._ghosts, widest, GLASS, INK, ratio) if self._ghosts else None
        self.canvas.show_ghost_legend(ghosts, QPointF(theme.MEDIUM, low))

    def _show_banner(self) -> None:
        self._banner = text = self.frame.message
        if not text:
            self.canvas.show_banner(None)
            return
        wide = self.width() - 2 * theme.LARGE
        flags = Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        inner = QFontMetrics(theme.small_font()).boundingRect(QRect(0, 0, wide - 24, self.height() // 2), flags, text)
        pixmap = viewport_canvas.blank(self.width(), inner.height() + 18, self.devicePixelRatioF())
        painter = viewport_canvas.begin(pixmap)
        painter.setFont(theme.small_font())
        box = QRect(theme.LARGE, 1, wide, inner.height() + 16)
        painter.setPen(QPen(theme.color("error"), 1))
        painter.setBrush(theme.color("raised"))
        painter.drawRoundedRect(box, theme.RADIUS, theme.RADIUS)
        painter.setPen(theme.color("error"))
        painter.drawText(box.adjusted(12, 8, -12, -8), flags, text)
        painter.end()
        self.canvas.show_banner(pixmap, self.height() - inner.height() - 17 - theme.LARGE)

    def _set_flash(self, on: bool) -> None:
        self._flashing = on
        self.canvas.show_flash(GREEN if on else None)
        self._write_chips()

    def _lay_out(self) -> None:
        """Draw everything again, after another size or color scheme."""
        self.canvas.set_size(self.size())
        self.canvas.show_inset(self._inset, self._inset_box())
        self.canvas.show_flash(GREEN if self._flashing else None)
        self._drawn = None
        self._write_chips()
        self._show_banner()
        self._show_legend()

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
                self._knows_goal |= bool(self.frame.sheet.goal) and self.frame.selected == self.frame.sheet.goal
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
