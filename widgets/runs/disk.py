"""The Runs panel's reads and writes on disk. All are slow, so none belongs on the UI thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.errors import Stopped
from studio.experiment import Experiment
from studio.registry import Registry


def list_runs(folder: Path) -> list[Any]:
    """Return every run in the folder."""
    from studio.store.runs import list_runs as read

    return list(read(folder)) if folder.is_dir() else []


def trash(folders: list[Path]) -> None:
    """Move run folders to the trash."""
    from studio.store.runs import trash as move

    for folder in folders:
        move(folder)


def export_runs(folders: list[Path], to: Path) -> list[Path]:
    """Export each run into a folder of its own in ``to``, and return those."""
    from studio.store.export import export_run

    return [Path(export_run(folder, to / folder.name)) for folder in folders]


def score_run(folder: Path, experiment: Experiment, registry: Registry, keep_on: Callable[[], bool]) -> Any:
    """Return the score of a run's policy on an experiment's target (``studio.run.evaluate.Evaluation``).

    Args:
        keep_on: asked after every episode; where it is False the scoring ends.

    Raises:
        Stopped: the scoring was ended.
        StudioError: the run has no result, or its policy cannot act there.
    """
    from studio.run.evaluate_run import evaluate_run

    def tick(_done: int, _total: int) -> None:
        if not keep_on():
            raise Stopped

    return evaluate_run(folder, experiment, registry, tick)


def fingerprint(folder: Path) -> tuple[Any, ...]:
    """Return what changes when a run is made, written to or deleted; cheap beside reading them all."""
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
