"""What ended a run, in words that a person can act on."""

from __future__ import annotations

import sys
import textwrap
import traceback
from importlib.metadata import entry_points
from pathlib import Path

from studio.errors import StudioError
from studio.events import Failed
from studio.files import disk_full
from studio.registry import DROP_IN, KINDS, place_of


def normalize_disk_error(failure: Exception, folder: Path) -> Exception:
    """Return the failure itself; a full disk, which shows in many ways, as a StudioError."""
    if not disk_full(failure) or isinstance(failure, StudioError):
        return failure
    where = str(getattr(failure, "filename", None) or folder)
    error = StudioError("The disk is full.", where, "Free space, then resume the run.")
    error.__cause__ = failure
    return error


def unexpected_error(error: Exception, folder: str = "") -> StudioError:
    """Return an unexpected error as a sentence: at its line, ours or a plugin's, with the folder that keeps the run."""
    file, line = place_of(error)
    what = textwrap.shorten(f"{type(error).__name__}: {error}", 300, placeholder=" …").rstrip(": .")
    is_third_party = _is_third_party(file)
    message = f"The plugin raised an error ({what})." if is_third_party else f"Transfer Studio has a bug here ({what})."
    kept = f"The run is kept in {folder}. " if folder else ""
    fix = f"Fix line {line}, or set" if is_third_party else "Set"
    return StudioError(message, f"{file}, line {line}", f"{kept}{fix} TRANSFER_STUDIO_DEBUG=1 to see the traceback.")


def failure_event(error: Exception) -> Failed:
    """Return the event that reports what ended a run."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, StudioError):
        return Failed(error.message, error.field, error.remedy, trace)
    found = unexpected_error(error)
    return Failed(found.message, found.field, "See the log's details.", trace)


def _is_third_party(file: str) -> bool:
    """Whether a file is a plugin that did not come with the program."""
    offered = (point.module for kind in KINDS for point in entry_points(group=f"transfer_studio.{kind}"))
    modules = {name for name in offered if name.partition(".")[0] not in ("plugins", "studio")}
    modules |= {name for name in [*sys.modules] if name.startswith(DROP_IN)}
    return any(getattr(sys.modules.get(name), "__file__", None) == file for name in modules)
