"""Small things about files: hashes, JSON, and writing so that nothing half-written is ever seen."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def file_hash(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def disk_full(error: BaseException) -> bool:
    """Whether a write failed for want of space. Safetensors and HDF5 say so only in words."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error)


def json_text(data: Any, **layout: Any) -> str:
    """Return plain data as JSON, with null for NaN and infinity. ``layout``: arguments of :func:`json.dumps`."""
    return json.dumps(_without_nan(data), allow_nan=False, **layout)


def _without_nan(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: _without_nan(value) for key, value in data.items()}
    return [_without_nan(value) for value in data] if isinstance(data, list | tuple) else data


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it into place; clean up if it fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def share_weights(folder: Path) -> None:
    """Let those read a folder's safetensors files who may read the folder: the library leaves them to their owner."""
    for path in folder.glob("*.safetensors"):
        path.chmod(folder.stat().st_mode & 0o666)


def write_text(path: Path, text: str) -> None:
    """Write text as :func:`write_whole` does."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_whole(path, write)
