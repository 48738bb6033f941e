"""What lies over the picture: chips of text, what the policy sees, legends, a banner, and a flash at a success."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, QPoint, QPointF, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QFontMetrics, QImage, QPainter, QPen

from studio.contracts.decorations import Color
from widgets.style import theme
from widgets.viewport import chip_texts, color_legend, ghost_legend, glass
from widgets.viewport.canvas import Canvas
from widgets.viewport.frame import Frame

FLASH_SECONDS = 0.8
NUMBERS_S = 0.25  # between two updates of numbers that change in every frame
INSET = 128  # px, side of the picture in picture
LINE = 26  # px from one line of chips to the next
COARSE = 0.9  # rendered pixels for each of the view's, along one side: fewer are noted in the chip


class Overlays(QObject):
    """Draws on a canvas, and only what has changed."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        canvas.set_inset_color(glass.GLASS)
        self.frame = Frame()
        self.policy = ""  # what drives the robot
        self.looking_at = ""  # name of a file or training that is shown in place of the experiment's domain
        self.knows_goal = False  # the person has moved a goal
        self.texts: list[str] = []  # of the chips at the left, as last written
        self.pace = ""  # the chip at the right, as last written
        self._training = False
        self._pace_box = QRect()
        self._inset: QImage | None = None
        self._legends: tuple[object, ...] = ()  # what they were last drawn from
        self._banner = ""
        self._drawn: tuple[object, ...] | None = None  # what the chips were drawn from
        self._steady: tuple[object, ...] = ()
        self._written = 0.0
        self._successes: tuple[int, int] | None = None  # (model, successes) of the last frame
        self._flash = QTimer(self)
        self._flash.setSingleShot(True)
        self._flash.setInterval(round(1000 * FLASH_SECONDS))
        self._flash.timeout.connect(self._end_flash)

    @property
    def hint(self) -> str:
        """What a person may not know about the picture."""
        return "" if self.knows_goal or self.looking_at else chip_texts.goal_hint(self.frame)

    def set_training(self, on: bool) -> None:
        """Say whether a training goes on beside the viewport."""
        self._training = on

    def explanation_at(self, place: QPoint) -> str:
        """Return the tool tip of the chip at a place; empty: none."""
        coarse = self._pace_box.contains(place) and self.frame.playing and self._is_coarse()
        return chip_texts.why_coarse(self._training) if coarse else ""

    def show_frame(self, frame: Frame) -> None:
        """Show a frame's numbers and texts, where they have changed."""
        self.frame = frame
        counted = (frame.model, int(frame.info.get("successes", 0)))
        before, self._successes = self._successes, counted
        if before is not None and before[0] == counted[0] and counted[1] > before[1]:
            self._begin_flash()
        if frame.inset is not self._inset:
            self._inset = frame.inset
            self._canvas.show_inset(frame.inset, self._inset_box())
        if (frame.legend, *_named(frame)) != self._legends:
            self._show_legends()
        # numbers that change in every frame are updated a few times a second; whatever else changes is shown at once
        late = time.monotonic() - self._written > NUMBERS_S
        if late or not frame.playing or chip_texts.steady(frame) != self._steady:
            self.write_chips()
        if frame.message != self._banner:
            self._show_banner()

    def lay_out(self) -> None:
        """Draw everything again, after another size or color scheme."""
        self._canvas.show_inset(self._inset, self._inset_box())
        self._canvas.show_flash(glass.GREEN if self._flash.isActive() else None)
        self._drawn = None
        self.write_chips()
        self._show_banner()
        self._show_legends()

    def write_chips(self) -> None:
        """Draw the chips where their texts differ from those drawn last."""
        self._written, self._steady = time.monotonic(), chip_texts.steady(self.frame)
        texts = chip_texts.texts(self.frame, self.looking_at, self.policy, self._flash.isActive())
        pace = chip_texts.pace(self.frame, self._is_coarse())
        hint = self.hint
        inset = self._inset_box() if self._inset is not None else None
        ratio = self._canvas.devicePixelRatioF()
        drawn = (texts, pace, hint, self._canvas.size(), ratio, inset, theme.small_font().key())
        if drawn == self._drawn:
            return
        self._drawn, self.texts, self.pace = drawn, [text for text, _ in texts], pace
        # high enough for a second row; down to the inset's caption where there is one
        high = 2 * theme.MEDIUM + 2 * LINE if inset is None else round(inset.top())
        pixmap = glass.blank(self._canvas.width(), high, ratio)
        painter = glass.painter_on(pixmap)
        x, y = theme.MEDIUM, theme.MEDIUM
        for text, ink in texts:
            x += glass.chip(painter, text, x, y, ink).width() + theme.SMALL
        if hint:
            glass.chip(painter, hint, theme.MEDIUM, y + LINE, glass.FAINT)
        right = self._canvas.width() - theme.MEDIUM
        self._pace_box = self._chip_at_right(painter, pace, right, y, beside=x)
        if inset is not None:
            self._chip_at_right(
                painter, self.tr("what the policy sees"), round(inset.right()), round(inset.top()) - LINE
            )
        painter.end()
        self._canvas.show_chips(pixmap)

    def _is_coarse(self) -> bool:
        """Whether the picture has so many pixels fewer than the view that one sees blocks."""
        image = self.frame.image
        shown = self._canvas.width() * self._canvas.devicePixelRatioF()
        return image is not None and image.width() < COARSE * shown

    def _chip_at_right(self, painter: QPainter, text: str, right: int, y: int, beside: int = 0) -> QRect:
        """Draw a chip that ends at ``right``; a line lower where it would lie over what ends at ``beside``."""
        left = right - glass.chip_width(painter, text)
        return glass.chip(painter, text, left, y if left > beside else y + LINE, glass.FAINT)

    def _inset_box(self) -> QRectF:
        width, height = self._canvas.width(), self._canvas.height()
        side = min(INSET, height // 2, width // 2)
        return QRectF(width - side - theme.MEDIUM - 1, height - side - theme.MEDIUM - 1, side, side)

    def _show_legends(self) -> None:
        colored, names = self.frame.legend, _named(self.frame)
        self._legends = colored, *names
        ratio, low = self._canvas.devicePixelRatioF(), self._canvas.height() - theme.MEDIUM
        path = None if colored is None else color_legend.picture(*colored, ratio)
        self._canvas.show_legend(path, QPointF(theme.MEDIUM, low))
        if path is not None:
            low -= round(path.height() / ratio) + theme.SMALL
        taken = self._inset_box().width() if self._inset is not None else 0
        widest = round(self._canvas.width() - taken) - 3 * theme.MEDIUM
        labels = ghost_legend.picture(names, widest, ratio)
        self._canvas.show_ghost_legend(labels, QPointF(theme.MEDIUM, low))

    def _show_banner(self) -> None:
        self._banner = text = self.frame.message
        if not text:
            self._canvas.show_banner(None)
            return
        width, height = self._canvas.width(), self._canvas.height()
        wide = width - 2 * theme.LARGE
        flags = Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        inner = QFontMetrics(theme.small_font()).boundingRect(QRect(0, 0, wide - 24, height // 2), flags, text)
        pixmap = glass.blank(width, inner.height() + 18, self._canvas.devicePixelRatioF())
        painter = glass.painter_on(pixmap)
        box = QRect(theme.LARGE, 1, wide, inner.height() + 16)
        painter.setPen(QPen(theme.color("error"), 1))
        painter.setBrush(theme.color("raised"))
        painter.drawRoundedRect(box, theme.RADIUS, theme.RADIUS)
        painter.setPen(theme.color("error"))
        painter.drawText(box.adjusted(12, 8, -12, -8), flags, text)
        painter.end()
        self._canvas.show_banner(pixmap, height - inner.height() - 17 - theme.LARGE)

    def _begin_flash(self) -> None:
        self._flash.start()
        self._canvas.show_flash(glass.GREEN)
        self.write_chips()

    def _end_flash(self) -> None:
        self._canvas.show_flash(None)
        self.write_chips()


def _named(frame: Frame) -> list[tuple[str, Color]]:
    """Return names and colors of the ghosts that have a name, and of what is shown beside them."""
    return [*((ghost.label, ghost.color) for ghost in frame.ghosts if ghost.label), *frame.named_colors]
