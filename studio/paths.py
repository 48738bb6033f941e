"""Where things lie: the shipped assets, the user's runs, the cache, drop-in plugins."""

from __future__ import annotations

import errno
import os
from importlib.resources import files
from pathlib import Path

import platformdirs

from studio.errors import ExperimentError

APP = "transfer-studio"


def assets() -> Path:
    """The shipped assets (models, example experiments, pretrained policies)."""
    return Path(str(files("assets")))


def runs() -> Path:
    """Where runs are kept: ``TRANSFER_STUDIO_RUNS``, else ``runs`` in the working folder."""
    return Path(os.environ.get("TRANSFER_STUDIO_RUNS", "runs"))


def cache() -> Path:
    """Return the cache for datasets and source policies: ``TRANSFER_STUDIO_CACHE``, else the user's cache folder."""
    return Path(os.environ.get("TRANSFER_STUDIO_CACHE") or platformdirs.user_cache_dir(APP))


def cache_folder(kind: str) -> Path:
    """A folder of the cache, made where it is missing. Raises ExperimentError where it cannot be written."""
    folder = cache() / kind
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, "it is read-only")
    except OSError as error:
        raise ExperimentError(
            f"The cache cannot be written ({error.strerror}).",
            str(folder),
            "Set TRANSFER_STUDIO_CACHE to a folder that can be.",
        ) from None
    return folder


def plugins() -> Path:
    """Drop-in plugins, one file each: ``TRANSFER_STUDIO_PLUGINS``, else ``plugins`` in the user's data folder."""
    return Path(os.environ.get("TRANSFER_STUDIO_PLUGINS") or Path(platformdirs.user_data_dir(APP)) / "plugins")
