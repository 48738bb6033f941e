"""A strip of small pictures: samples of the randomization as the policy would see them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QEvent, QRectF, Qt
from PySide6.QtGui import QHelpEvent, QImage, QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.randomization.quantities import readable
from widgets.style import theme

COLUMNS = 3  # where there is room; else all in one row
GAP = 4  # px
WORDS = 44  # px, the height where words stand in place of pictures
LARGEST = 120  # px, the side of a picture


class SampleStrip(QWidget):
    """Square pictures in rows, each with its values as a tool tip; or words where there are none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images: list[QImage] = []
        self.words = ""
        self.columns = COLUMNS
        self._tips: list[str] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Samples as the policy would observe them"))
        theme.on_change(self, self.update)

    def set_columns(self, columns: int) -> None:
        """How many pictures stand in a row."""
        if columns != self.columns:
            self.columns = columns
            self._fit()

    def show_images(self, images: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
        """Take (n, h, w, 3) uint8 and what was drawn for each, (n,) or (n, 3) by key."""
        n, height, width = images.shape[:3]
        self.images = [
            QImage(images[i].tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy() for i in range(n)
        ]
        self._tips = ["\n".join(f"{readable(key)}: {_words(v[i])}" for key, v in values.items()) for i in range(n)]
        self.words = ""
        self._fit()

    def show_words(self, words: str) -> None:
        """Show a sentence where there are no pictures."""
        self.images, self._tips, self.words = [], [], words
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            at = next((i for i in range(len(self.images)) if self._place(i).contains(event.pos())), None)
            if at is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), self._tips[at] or self.tr("No randomization"), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        if not self.images:
            painter.setPen(theme.color("muted"))
            painter.setFont(theme.small_font(self.font()))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.words)
            return
        for i, image in enumerate(self.images):
            frame = self._place(i).adjusted(0.5, 0.5, -0.5, -0.5)
            path = QPainterPath()
            path.addRoundedRect(frame, 3, 3)
            painter.save()
            painter.setClipPath(path)
            painter.drawImage(frame, image)
            painter.restore()
            painter.setPen(QPen(theme.color("border"), 1))
            painter.drawPath(path)

    def _fit(self) -> None:
        """Take the height that the pictures need at this width."""
        rows = -(-len(self.images) // self.columns)
        height = rows * self._side(self.width()) + (rows - 1) * GAP if self.images else WORDS
        if height != self.height():
            self.setFixedHeight(height)
        self.update()

    def _side(self, width: int) -> int:
        return min(LARGEST, (width - (self.columns - 1) * GAP) // self.columns)

    def _place(self, i: int) -> QRectF:
        side = self._side(self.width())
        left = (self.width() - self.columns * side - (self.columns - 1) * GAP) / 2
        return QRectF(left + (i % self.columns) * (side + GAP), (i // self.columns) * (side + GAP), side, side)


def _words(value: object) -> str:
    numbers = np.atleast_1d(np.asarray(value, float))
    return ", ".join("own" if np.isnan(number) else f"{number:.3g}" for number in numbers)
