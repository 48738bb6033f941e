"""The window as an entry point, so that the engine runs without it."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from studio.errors import StudioError

GROUP = "transfer_studio.window"


def window_function(name: str) -> Any:
    """Import one of the window's functions: ``main`` opens it, ``screenshot`` draws it into a picture.

    Raises:
        StudioError: no window is installed.
    """
    for point in entry_points(group=GROUP, name=name):
        return point.load()
    remedy = "Install Transfer Studio again (make setup), or use the commands: transfer-studio --help."
    raise StudioError("The window is not installed.", "", remedy)
