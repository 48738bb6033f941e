"""Where file dialogs start: the folder that was last used for the same purpose, else the user's documents."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from PySide6.QtCore import QSettings, QStandardPaths

Purpose = Literal["experiments", "exports"]


class Folders:
    """Remembers a folder for each purpose: in ``settings``, or while the program runs where ``settings`` is None."""

    def __init__(self) -> None:
        self.settings: QSettings | None = None
        self._last: dict[str, str] = {}

    def start(self, purpose: Purpose, name: str = "") -> str:
        """Return where a dialog starts: a folder, or a file of this name in it."""
        kept = self._last.get(purpose) or (str(self.settings.value(self._key(purpose), "")) if self.settings else "")
        folder = Path(kept) if kept and Path(kept).is_dir() else _documents()
        return str(folder / name) if name else str(folder)

    def remember(self, purpose: Purpose, folder: Path) -> None:
        """Start there next time."""
        self._last[purpose] = str(folder)
        if self.settings is not None:
            self.settings.setValue(self._key(purpose), str(folder))

    def _key(self, purpose: Purpose) -> str:
        return f"folders/{purpose}"


def _documents() -> Path:
    found = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation))
    return found if found.is_dir() else Path.home()
