"""HDF5 files that other programs wrote: open them, or say why not; read them without h5py's exceptions."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from studio.errors import DataError

BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError)  # what h5py raises
IN_USE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY)
MARKED_OPEN = "already open for write"  # HDF5's words for a mark that a writer leaves in the file while it writes


def open_hdf5(path: Path, wanted: str) -> h5py.File:
    """Return a file that is open for reading.

    Args:
        wanted: what kind of file to choose instead, such as "a robomimic HDF5 file".

    Raises:
        DataError: it is missing, may not be read, is being written by a program, or is no valid HDF5 file.
    """
    if not path.exists():
        raise DataError("The dataset does not exist.", str(path), "Check the path.")
    if not path.is_file():
        raise DataError("The dataset is a folder, not a file.", str(path), f"Choose {wanted}.")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise _refusal(error, path, wanted) from None


def _refusal(error: OSError, path: Path, wanted: str) -> DataError:
    words = str(error)
    if error.errno in IN_USE or "unable to lock file" in words:
        return DataError(
            "Another program has the file open for writing.",
            str(path),
            "Close it there, or wait until it has finished.",
        )
    if isinstance(error, PermissionError):
        return DataError("You may not read this file.", str(path), "Change its permissions, or copy it.")
    if MARKED_OPEN in words:
        return DataError(
            "The file is marked as open for writing: a program is writing it, or ended before it closed it.",
            str(path),
            "Close it there. If no program has it open, clear the mark with: h5clear -s FILE",
        )
    if "signature not found" in words:
        return DataError("The file is not HDF5, or it is damaged.", str(path), f"Choose {wanted}.")
    if "truncated" in words:
        return DataError(
            "The file is incomplete: its end is missing.",
            str(path),
            "Copy or download it again; if a program is still writing it, close it there.",
        )
    reason = words.rpartition("(")[2].rstrip(")")
    return DataError(f"The file is damaged ({reason}).", str(path), f"Copy it again, or choose {wanted}.")


def group(parent: h5py.Group, name: str) -> h5py.Group | None:
    """Return a member that is a group; None where there is none, or its link leads nowhere."""
    found = _member(parent, name)
    return found if isinstance(found, h5py.Group) else None


def dataset(parent: h5py.Group, name: str) -> h5py.Dataset | None:
    """Return a member that is a dataset; None where there is none, or its link leads nowhere."""
    found = _member(parent, name)
    return found if isinstance(found, h5py.Dataset) else None


def _member(parent: h5py.Group, name: str) -> Any:
    try:
        return parent.get(name)
    except BROKEN:
        return None


def attributes(node: h5py.Group) -> dict[str, str | bool | int | float]:
    """Return the attributes that are text or single numbers; others, and unreadable ones, are left out."""
    found: dict[str, str | bool | int | float] = {}
    for name in _names(node.attrs):
        try:
            value = node.attrs[name]
        except BROKEN:
            continue
        if isinstance(value, np.ndarray) and value.shape == (1,):
            value = value[0]
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, bytes):
            value = value.decode("utf-8", errors="replace")
        if isinstance(value, str | bool | int | float):
            found[name] = value
    return found


def members(parent: h5py.Group) -> list[str]:
    """Return the members' names; none where the group cannot be read."""
    return _names(parent)


def _names(node: Any) -> list[str]:
    try:
        return list(node)
    except BROKEN:
        return []


def texts(found: h5py.Dataset | None) -> list[str] | None:
    """Return a dataset's texts, of any shape; None where it holds something else."""
    if found is None or found.shape is None:
        return None
    try:
        values = np.asarray(found[()]).ravel().tolist()
    except BROKEN:
        return None
    decoded = [value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value for value in values]
    return decoded if all(isinstance(value, str) for value in decoded) else None
