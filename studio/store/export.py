"""Exports of a run's result: adapters in PEFT's layout with the base they need, or merged policies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open

from studio.errors import DataError
from studio.files import disk_full


def export_run(run: Path, to: Path, merged: bool = False) -> Path:
    """Copy a run's result into a new folder ``to``.

    An adapter with the base it needs where the strategy made one, but for one that holds its base itself, as
    ``base_model``; the whole (merged) policy otherwise, or where asked.

    Raises:
        DataError: the run has no result yet, a file of its weights is damaged, or ``to`` exists and is not empty, or
            cannot be written.
    """
    run, to = Path(run), Path(to)
    if not (run / "experiment.yaml").is_file():
        raise DataError("There is no run in this folder.", str(run), "Name the folder of a run, not of a checkpoint.")
    if not (run / "policy" / "config.json").exists():
        raise DataError("The run has no result yet.", str(run), "Let it finish: transfer-studio resume.")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise DataError("The folder to export to is not empty.", str(to), "Name a new one.")
    if merged or not (run / "adapter").exists():
        parts = ["policy"]
    else:
        parts = ["adapter"] if (run / "adapter" / "base_model").exists() else ["adapter", "base"]
    for part in parts:
        _check_weights(run / part)
    whole = to.resolve()
    temporary = whole.with_name(f".{whole.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        for part in parts:
            shutil.copytree(run / part, temporary / part)
        shutil.copy2(run / "experiment.yaml", temporary / "experiment.yaml")
        temporary.replace(whole)  # an empty folder of that name gives way
    except OSError as error:
        reason = "the disk is full" if disk_full(error) else error.strerror or error
        raise DataError(f"The export cannot be written ({reason}).", str(to), "Choose another folder.") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return to


def _check_weights(folder: Path) -> None:
    """Raise DataError where the header of a file of weights cannot be read, or does not fit the file's length."""
    for file in sorted(folder.rglob("*.safetensors")):
        try:
            with safe_open(file, "pt"):
                pass
        except (OSError, SafetensorError):
            raise DataError("The weights are damaged.", str(file), "Restore the file, or train again.") from None
