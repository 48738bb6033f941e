"""What the Runs panel asks of the disk. All of it is slow, and none of it is for the UI thread."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def list_runs(folder: Path) -> list[Any]:
    """Every run in the folder."""
    from studio.store.runs import list_runs as read

    return list(read(folder)) if folder.is_dir() else []


def trash(folders: list[Path]) -> None:
    """Moves run folders to the trash."""
    from studio.store.runs import trash as move

    for folder in folders:
        move(folder)


def export_runs(folders: list[Path], to: Path) -> list[Path]:
    """Exports each run into a folder of its own."""
    from studio.store.export import export_run

    return [Path(export_run(folder, to / folder.name)) for folder in folders]


def fingerprint(folder: Path) -> tuple[Any, ...]:
    """What changes when a run is made, written to or deleted; cheap beside reading them all."""
    found = []
    try:
        for entry in os.scandir(folder):
            if entry.is_dir():
                record = Path(entry.path) / "run.json"
                found.append(
                    (entry.name, entry.stat().st_mtime_ns, record.stat().st_mtime_ns if record.exists() else 0)
                )
    except OSError:  # the folder is not there yet, or a run went away this very moment
        pass
    return tuple(sorted(found))
