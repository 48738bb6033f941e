"""Pictures and films of the viewport: where they are saved, and the messages about them."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from studio.errors import DataError, StudioError
from widgets.shell.app_state import AppState
from widgets.viewport.render_thread import RenderThread


class Captures(QObject):
    """Saves one viewport's pictures and films in the runs folder."""

    filming = Signal(bool)  # whether a film is being made, when that changes

    def __init__(self, app_state: AppState, thread: RenderThread) -> None:
        super().__init__()
        self._app_state, self._thread = app_state, thread
        self._open: Path | None = None  # the film that is being made
        thread.captured.connect(self._save_picture)
        thread.film_ended.connect(self._film_ended)

    def film(self, on: bool) -> None:
        """Begin a film, or complete it."""
        if on == (self._open is not None):
            return
        self._open = self._path("mp4") if on else None
        self._thread.film(self._open)
        self.filming.emit(on)

    @property
    def is_filming(self) -> bool:
        """Whether a film is being made."""
        return self._open is not None

    def _film_ended(self, path: Path, error: Exception | None) -> None:
        if path == self._open:  # it ended by itself
            self._open = None
            self.filming.emit(False)
        if error is None:
            self._app_state.toast.emit("info", self.tr("The film is saved: {0}").format(path), "")
        elif isinstance(error, StudioError):
            self._app_state.toast.emit("error", str(error), "")
        else:
            self._app_state.report(error, self.tr("Film"))

    def _save_picture(self, image: QImage) -> None:
        path = self._path("png")

        def work() -> Path:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DataError(
                    f"The folder cannot be created ({error.strerror}).", str(path.parent), "Choose another runs folder."
                ) from None
            if not image.save(str(path)):
                raise DataError(
                    "The picture cannot be written.", str(path), "Free space or choose another runs folder."
                )
            return path

        self._app_state.background(
            work, lambda path: self._app_state.toast.emit("info", self.tr("The picture is saved: {0}").format(path), "")
        )

    def _path(self, suffix: str) -> Path:
        """Return the path of a new file."""
        stamp = time.strftime("%Y%m%d-%H%M%S")
        folder = self._app_state.runs_folder
        names = (f"viewport-{stamp}{more}.{suffix}" for more in ("", *(f"-{i}" for i in range(2, 1000))))
        return next(folder / name for name in names if not (folder / name).exists())
