"""A film of the pictures as they are drawn. Render thread only; :mod:`studio.sim.render.video` encodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage


class Film:
    """Records at most one film at a time, and costs nothing while there is none."""

    def __init__(self) -> None:
        self._writer: Any = None
        self._last: QImage | None = None

    @property
    def seconds(self) -> float | None:
        """Length so far; None while no film is being made."""
        return self._writer.seconds if self._writer is not None else None

    def start(self, path: Path, first: QImage, ended: Callable[[Exception | None], None]) -> None:
        """Begin a film with a picture, whose size it keeps.

        Args:
            ended: called from another thread, when the film is complete or has failed.

        Raises:
            DataError: the folder cannot be written.
        """
        from studio.sim.render.video import VideoWriter

        self.stop()
        self._writer = VideoWriter(path, first.width(), first.height(), "bgr0", ended)
        self.add(first)

    def add(self, picture: QImage) -> None:
        """Add a picture, now; another size is scaled to the film's."""
        if self._writer is None:
            return
        if not self._writer.alive:
            self._writer = self._last = None
            return
        self._last = picture
        size = (self._writer.width, self._writer.height)
        if (picture.width(), picture.height()) != size:
            mode = Qt.TransformationMode.SmoothTransformation
            picture = picture.scaled(*size, Qt.AspectRatioMode.IgnoreAspectRatio, mode)
        self._writer.add(bytes(picture.constBits()))  # RGB32 rows have no padding

    def stop(self, seconds: float = 0.0) -> None:
        """Let the encoder complete the film, and wait for it up to ``seconds``. The last picture is shown until now."""
        if self._writer is not None:
            if self._last is not None:
                self.add(self._last)
            if self._writer is not None:
                self._writer.close()
                self._writer.join(seconds)
        self._writer = self._last = None
