"""The comparison that is under way: a file in the runs folder, removed once all its runs have ended.

It is an experiment file as any other: ``transfer-studio compare`` continues it too.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from studio.errors import ExperimentError
from studio.experiment import Experiment
from studio.files import write_text

NAME = "unfinished_comparison.yaml"


def remember(runs_folder: Path, experiment: Experiment) -> None:
    """Write down which comparison is being run. No error where that fails: its runs report a full or read-only disk."""
    with contextlib.suppress(OSError):
        runs_folder.mkdir(parents=True, exist_ok=True)
        write_text(runs_folder / NAME, experiment.to_yaml())


def forget(runs_folder: Path) -> None:
    """Note that all runs of the comparison have ended."""
    with contextlib.suppress(OSError):
        (runs_folder / NAME).unlink(missing_ok=True)


def recall(runs_folder: Path) -> tuple[Experiment, float] | None:
    """Return the comparison and when it was written (seconds since the epoch); None where there is none to continue."""
    path = runs_folder / NAME
    try:
        return Experiment.load(path), path.stat().st_mtime
    except (OSError, ExperimentError):
        return None
