"""What a domain's dataset holds: counts, the actions' ranges, a strip of frames. Read off the UI thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize
from PySide6.QtGui import QHelpEvent, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from studio.contracts import Reading
from studio.experiment import Domain
from studio.registry import Registry
from widgets.style import theme

READ_AT_MOST = 32  # episodes; enough for ranges and frames, and soon read
THUMBNAILS = 12
BAR_HEIGHT = 46
BAR_PITCH = 26


@dataclass(frozen=True)
class Summary:
    """What is shown of a dataset. ``episodes`` is 0 where there is none yet."""

    episodes: int = 0
    frames: int = 0
    shortest: int = 0
    longest: int = 0
    read: int = 0  # episodes that the ranges were taken from
    made: bool = False  # by the scripted expert, from the cache
    low: np.ndarray = field(default_factory=lambda: np.zeros(0))
    mean: np.ndarray = field(default_factory=lambda: np.zeros(0))
    high: np.ndarray = field(default_factory=lambda: np.zeros(0))
    thumbnails: tuple[QImage, ...] = ()
    splits: Mapping[str, int] = field(default_factory=dict)  # named lists of so many episodes, to choose from
    cameras: tuple[str, ...] = ()  # keys of images, where there are several to choose from
    notes: tuple[str, ...] = ()  # what is converted, left out or assumed


def summarize(domain: Domain, seed: int, registry: Registry) -> Summary:
    """Read the domain's dataset file, or the expert's cached episodes, or find that there are none yet.

    Raises:
        StudioError: the file is missing, broken or in no known format.
    """
    from studio.data.datasets import cache_path, read_dataset, survey
    from studio.sim.domains import resolve

    path: Path = domain.dataset if domain.dataset is not None else cache_path(resolve(domain, registry), seed)
    if domain.dataset is None and not path.exists():
        return Summary()
    split = "" if domain.dataset is None else domain.dataset_split  # the expert's episodes are taken whole
    whole = survey(path, Reading(None, split, frozenset()))  # of the actions alone
    named = next((key for key, camera in whole.cameras.items() if camera == domain.camera), "")
    first = Reading(READ_AT_MOST, split, None, domain.dataset_camera or named)
    episodes = read_dataset(path, first)
    made, cameras = domain.dataset is None, tuple(whole.cameras)
    return Summary(
        episodes=whole.episodes,
        frames=sum(whole.lengths),
        shortest=min(whole.lengths),
        longest=max(whole.lengths),
        read=len(episodes),
        made=made,
        low=episodes.actions.min(0),
        mean=episodes.actions.mean(0),
        high=episodes.actions.max(0),
        thumbnails=_thumbnails(episodes),
        splits={} if made else whole.splits,
        cameras=cameras if len(cameras) > 1 and domain.observes("image") and not made else (),
        notes=tuple(survey(path, first).notes_of()),
    )


def _thumbnails(episodes: Any) -> tuple[QImage, ...]:
    images = episodes.observations.get("image")
    if images is None or len(images) == 0:
        return ()
    # the middle of evenly chosen episodes shows more than twelve beginnings, which look alike
    chosen = np.unique(np.linspace(0, len(episodes) - 1, THUMBNAILS).astype(int))
    frames = [int(episodes.starts[i] + episodes.lengths[i] * 0.6) for i in chosen]
    made = []
    for frame in frames:
        pixels = np.ascontiguousarray(images[min(frame, len(images) - 1)])
        height, width = pixels.shape[:2]
        made.append(QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy())
    return tuple(made)


class ActionBars(QWidget):
    """For each dimension of the action: its range as a bar within −1 to 1, and its mean as a tick."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._summary = Summary()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Ranges of the actions"))
        theme.on_change(self, self.update)

    def sizeHint(self) -> QSize:
        return QSize(200, BAR_HEIGHT)

    def show_summary(self, summary: Summary) -> None:
        """Take new ranges."""
        self._summary = summary
        self.setVisible(len(summary.low) > 0)
        words = [self._words(i) for i in range(len(summary.low))]
        self.setAccessibleDescription("; ".join(words))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        summary, painter = self._summary, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pitch = self._pitch()
        top, height = 2.0, self.height() - 16.0
        middle = top + height / 2
        painter.setPen(QPen(theme.color("border"), 1))
        width = pitch * len(summary.low)
        painter.drawLine(QPointF(0, middle), QPointF(width, middle))
        painter.setFont(theme.small_font(self.font()))
        for i, (low, mean, high) in enumerate(zip(summary.low, summary.mean, summary.high, strict=True)):
            left = i * pitch + (pitch - 9) / 2
            to_y = [top + height * (1 - (float(np.clip(v, -1, 1)) + 1) / 2) for v in (high, low, mean)]
            painter.fillRect(QRectF(left, top, 9, height), theme.color("hover"))
            painter.fillRect(QRectF(left, to_y[0], 9, max(to_y[1] - to_y[0], 1)), theme.color("accent"))
            painter.setPen(QPen(theme.color("text"), 2))
            painter.drawLine(QPointF(left - 3, to_y[2]), QPointF(left + 12, to_y[2]))
            painter.setPen(theme.color("muted"))
            painter.drawText(QRectF(i * pitch, top + height, pitch, 14), 0x84, str(i + 1))  # centred

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            index = int(event.pos().x() // self._pitch())
            if 0 <= index < len(self._summary.low):
                QToolTip.showText(event.globalPos(), self._words(index), self)
                return True
        return super().event(event)

    def _pitch(self) -> float:
        return min(BAR_PITCH, self.width() / max(len(self._summary.low), 1))

    def _words(self, i: int) -> str:
        s = self._summary
        words = self.tr("action {index}: {low:.2f} to {high:.2f}, mean {mean:.2f}")
        return words.format(index=i + 1, low=s.low[i], high=s.high[i], mean=s.mean[i])


class Thumbnails(QWidget):
    """Frames in a row, as many as there is room for."""

    def __init__(self, side: int = 48, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._side = side
        self.images: tuple[QImage, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Frames of the dataset"))

    def sizeHint(self) -> QSize:
        return QSize(200, self._side)

    def show_images(self, images: tuple[QImage, ...]) -> None:
        """Take new frames."""
        self.images = images
        self.setVisible(bool(images))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        step = self._side + theme.SMALL
        fitting = max(1, (self.width() + theme.SMALL) // step)
        for i, image in enumerate(self.images[:fitting]):
            frame = QRectF(i * step, 0, self._side, self._side)
            path = QPainterPath()
            path.addRoundedRect(frame, 4, 4)
            painter.setClipPath(path)
            painter.drawImage(frame, image)


class DatasetView(QWidget):
    """Counts, ranges and frames, under each other."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setProperty("role", "muted")
        self.bars = ActionBars()
        self.thumbnails = Thumbnails()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SMALL)
        for widget in (self.words, self.thumbnails, self.bars):
            layout.addWidget(widget)
        self.show_words(self.tr("Reading …"))

    def show_words(self, words: str) -> None:
        """Show words in place of a dataset."""
        self.words.setText(words)
        self.bars.show_summary(Summary())
        self.thumbnails.show_images(())

    def show_summary(self, summary: Summary, wanted: bool = True) -> None:
        """Show what a dataset holds, or why there is none: whether anything is to learn from it is ``wanted``."""
        if summary.episodes == 0:
            if wanted:
                self.show_words(self.tr("No episodes yet. The scripted expert records them when the run starts."))
            else:
                self.show_words(self.tr("No demonstrations needed: this strategy collects its own experience here."))
            return
        words = self.tr("{episodes:,} episodes  ·  {frames:,} frames  ·  {shortest}–{longest} frames each").format(
            episodes=summary.episodes, frames=summary.frames, shortest=summary.shortest, longest=summary.longest
        )
        if summary.made:
            words += self.tr("  ·  recorded by the scripted expert")
        if summary.read < summary.episodes:
            words += "\n" + self.tr("Ranges and frames are those of the first {count} episodes.").format(
                count=summary.read
            )
        self.words.setText("\n".join((words, *summary.notes)))
        self.bars.show_summary(summary)
        self.thumbnails.show_images(summary.thumbnails)
