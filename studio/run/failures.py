"""What ended a run, in words that a person can act on."""

from __future__ import annotations

import traceback
from pathlib import Path

from studio.errors import StudioError
from studio.files import disk_full
from studio.registry import place_of
from studio.run.channels import Failed


def plainly(failure: Exception, folder: Path) -> Exception:
    """The failure itself; a full disk, which shows itself in many ways, as a sentence."""
    if not disk_full(failure) or isinstance(failure, StudioError):
        return failure
    where = str(getattr(failure, "filename", None) or folder)
    error = StudioError("The disk is full.", where, "Free space, then resume the run.")
    error.__cause__ = failure
    return error


def told(error: Exception) -> Failed:
    """The event of it. What is no fault that we foresaw is named with the line that raised it."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, StudioError):
        return Failed(error.message, error.field, error.remedy, trace)
    file, line = place_of(error)
    return Failed(f"{type(error).__name__}: {error}", f"{file}, line {line}", "See the log's details.", trace)
