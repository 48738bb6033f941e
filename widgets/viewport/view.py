"""The viewport: shows the render thread's newest picture and takes mouse, keys and files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QHelpEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.shell import opening
from widgets.style import theme
from widgets.viewport.canvas import Canvas
from widgets.viewport.frame import Frame
from widgets.viewport.keys import command_of, help_text
from widgets.viewport.overlays import Overlays
from widgets.viewport.perturb_controller import PULL, TURN
from widgets.viewport.render_thread import RenderThread

DROPPED = ("embodiment", "dataset")  # kinds of files that may be dropped on the picture to be looked at


class Viewport(QWidget):
    """Shows frames; its thread is the caller's."""

    frame_shown = Signal(object)  # Frame, at most as often as the screen
    play_toggled = Signal()
    step_asked = Signal()
    reset_asked = Signal()
    back_asked = Signal()
    camera_asked = Signal(int)  # 0 free, 1 … 9 the model's cameras
    asked = Signal(str)  # any other of widgets.viewport.keys.COMMANDS
    dropped = Signal(object)  # Path of a model or dataset to be looked at

    def __init__(self, thread: RenderThread, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thread = thread
        self.frame = Frame()
        self.notice = self.tr("Loading plugins…")
        self.canvas = Canvas(self)
        self.overlays = Overlays(self.canvas)
        self._drag: QPointF | None = None
        self._grabbing = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 140)  # beside the inspector no wider than the bar below
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
        """Write this where there is no picture yet."""
        self.notice = text
        self.update()

    def set_policy(self, name: str) -> None:
        """Say what drives the robot."""
        self.overlays.policy = name
        self.overlays.write_chips()

    def set_looking_at(self, name: str) -> None:
        """Say what file or training is shown in place of the experiment's domain; empty: none."""
        self.overlays.looking_at = name
        self.overlays.write_chips()

    # -- frames ------------------------------------------------------------------------------------------------------

    def show_frame(self, frame: Frame) -> None:
        """Show a frame of the render thread."""
        self.frame = frame
        if frame.image is not None:
            self.canvas.show_picture(frame.image)
        if self.canvas.isHidden():
            self.update()
        self.overlays.show_frame(frame)
        self.frame_shown.emit(frame)

    def _take(self) -> None:
        frame = self._thread.take()
        if frame is not None:
            self.show_frame(frame)

    def _request_size(self) -> None:
        ratio = self.devicePixelRatioF()
        self._thread.set_size(max(16, round(self.width() * ratio)), max(16, round(self.height() * ratio)))

    def showEvent(self, event: QShowEvent) -> None:
        self._request_size()
        self._thread.set_visible(True)
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._thread.set_visible(False)
        super().hideEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._request_size()
        self._lay_out()
        super().resizeEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._request_size()
            self._lay_out()
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            # shown where there is something to explain: elsewhere it would lie over the picture
            QToolTip.showText(event.globalPos(), self.overlays.explanation_at(event.pos()), self)
            return True
        return super().event(event)

    def _lay_out(self) -> None:
        self.canvas.set_size(self.size())
        self.overlays.lay_out()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint what to wait for, or what went wrong, until there is a picture: the canvas covers this widget then."""
        painter = QPainter(self)
        text, wrong = self.frame.message or self.notice, bool(self.frame.message)
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
                goal = self.frame.sheet.goal
                self.overlays.knows_goal |= bool(goal) and self.frame.selected == goal
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
        """Return the first dropped file that the viewport can show; the window handles others."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        return next((path for path in paths if opening.kind_of(path) in DROPPED), None)
