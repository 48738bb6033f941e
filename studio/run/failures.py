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
    """The failure itself; a full disk, which shows itself in many ways, as a sentence."""
    if not disk_full(failure) or isinstance(failure, StudioError):
        return failure
    where = str(getattr(failure, "filename", None) or folder)
    error = StudioError("The disk is full.", where, "Free space, then resume the run.")
    error.__cause__ = failure
    return error


def unexpected_error(error: Exception, folder: str = "") -> StudioError:
    """What nobody foresaw, in a sentence: at its line, ours or a plugin's, and with the folder that keeps the run."""
    file, line = place_of(error)
    what = textwrap.shorten(f"{type(error).__name__}: {error}", 300, placeholder=" …").rstrip(": .")
    guest = _of_a_guest(file)
    message = f"The plugin fails there ({what})." if guest else f"This is a fault of the program ({what})."
    kept = f"The run is kept in {folder}. " if folder else ""
    mend = "Mend that line, or set" if guest else "Set"
    return StudioError(message, f"{file}, line {line}", f"{kept}{mend} TRANSFER_STUDIO_DEBUG=1 to see the traceback.")


def failure_event(error: Exception) -> Failed:
    """The event of it."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, StudioError):
        return Failed(error.message, error.field, error.remedy, trace)
    found = unexpected_error(error)
    return Failed(found.message, found.field, "See the log's details.", trace)


def _of_a_guest(file: str) -> bool:
    """Whether a file is a plugin that did not come with the program."""
    offered = (point.module for kind in KINDS for point in entry_points(group=f"transfer_studio.{kind}"))
    guests = {name for name in offered if name.partition(".")[0] not in ("plugins", "studio")}
    guests |= {name for name in [*sys.modules] if name.startswith(DROP_IN)}
    return any(getattr(sys.modules.get(name), "__file__", None) == file for name in guests)
