"""Whether Qt can open a window here: its platform plugin's libraries, and a display that answers.

Qt itself prints "could not load the Qt platform plugin" and aborts the process, so this is checked before Qt is
loaded. The libraries that a machine needs are listed in ``assets/system_libraries.txt``, for ``tools/setup.sh`` too.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from studio import paths
from studio.errors import StudioError

PARTS = {"xcb": ("base", "x11"), "wayland": ("base", "wayland")}  # of the list; any other platform needs the base
DISPLAYS = {"xcb": "DISPLAY", "wayland": "WAYLAND_DISPLAY"}  # the variable that names a platform's display

Loader = Callable[[str], object]  # opens a shared object by name or path; raises OSError where that fails


def load_library(name: str) -> object:
    """Open a shared object as the dynamic linker finds it; raise OSError with its reason."""
    return ctypes.CDLL(name, os.RTLD_LAZY)


def platforms(environment: Mapping[str, str]) -> list[str]:
    """Return the platforms that Qt will try, in its order; empty where neither a display nor a platform is set."""
    asked = environment.get("QT_QPA_PLATFORM", "")
    if asked:
        return [name.partition(":")[0].partition("-")[0] for name in asked.split(";") if name]
    session = environment.get("XDG_SESSION_TYPE", "")
    found = ["wayland"] if environment.get("WAYLAND_DISPLAY") or session == "wayland" else []
    if environment.get("DISPLAY"):
        found.insert(0 if session == "x11" else len(found), "xcb")
    return found


def startable_platform(environment: Mapping[str, str] = os.environ, load: Loader = load_library) -> str:
    """Return the platform that Qt will start on, in words.

    Raises:
        StudioError: none of them can start: which libraries are missing and the line that installs them, or that the
            display does not answer.
    """
    if sys.platform != "linux":
        return "the desktop"
    wanted = platforms(environment)
    if not wanted:
        raise StudioError(
            "There is no display to open the window on: neither DISPLAY nor WAYLAND_DISPLAY is set.",
            "",
            "Start the studio on a desktop or over 'ssh -X', or use its commands: transfer-studio --help.",
        )
    problems = []
    for name in wanted:
        try:
            _check_plugin(name, load)
            _check_display(name, environment)
        except StudioError as problem:
            problems.append(problem)
        else:
            return f"{name}, display {environment.get(DISPLAYS[name], '')}" if name in DISPLAYS else name
    raise problems[0]


def choose_drawing_platform() -> None:
    """Set ``QT_QPA_PLATFORM`` to offscreen where no window can open. Raise StudioError where Qt cannot even draw."""
    try:
        startable_platform()
    except StudioError:
        startable_platform({"QT_QPA_PLATFORM": "offscreen"})
        os.environ["QT_QPA_PLATFORM"] = "offscreen"


def _check_plugin(name: str, load: Loader) -> None:
    """Raise StudioError where a platform's plugin cannot be loaded, with what is missing."""
    plugin = _plugin_folder() / f"libq{name}.so"
    try:
        load(str(plugin))
    except OSError as error:
        if not plugin.exists():
            raise StudioError(
                f"Qt has no platform '{name}'.", "", "Unset QT_QPA_PLATFORM, or choose xcb, wayland or offscreen."
            ) from None
        packages = [*_missing(PARTS.get(name, ("base",)), load)]
        if packages:
            what, remedy = f"system libraries are missing ({', '.join(packages)})", install_line(packages)
        else:  # a library that the list does not have, or a broken plugin: the linker's own words
            what, remedy = str(error), "Install the missing library, or run: make setup"
        raise StudioError(f"Qt cannot start on '{name}': {what}.", "", remedy) from None


def _check_display(name: str, environment: Mapping[str, str]) -> None:
    """Raise StudioError where a platform's display does not accept a connection."""
    answers = {"xcb": _x_server_answers, "wayland": _wayland_answers}.get(name)
    if answers is not None and not answers():
        display = f"{DISPLAYS[name]}={environment.get(DISPLAYS[name], '')}"
        raise StudioError(
            f"The display {display} does not answer.",
            "",
            "Check that it is running and that you may use it, or use the commands: transfer-studio --help.",
        )


def install_line(packages: list[str]) -> str:
    """Return how to install packages on this machine: apt-get's line, or their Debian names."""
    if shutil.which("apt-get"):
        return f"Run: sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
    return f"Install them with your system's package manager; these are their Debian names: {' '.join(packages)}"


def _missing(parts: tuple[str, ...], load: Loader) -> Iterator[str]:
    """Yield the packages of the list that this machine lacks."""
    for line in (paths.assets() / "system_libraries.txt").read_text(encoding="utf-8").splitlines():
        part, *entry = line.split()
        if part in parts and not any(_is_installed(what, load) for what in entry[1:]):
            yield entry[0]


def _is_installed(what: str, load: Loader) -> bool:
    if "/" in what:
        pattern = Path(what).expanduser()
        return any(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    try:
        load(what)
    except OSError:
        return False
    return True


def _plugin_folder() -> Path:
    """Return where PySide6 keeps its platform plugins; PySide6 itself is not imported."""
    spec = find_spec("PySide6")
    if spec is None or not spec.submodule_search_locations:
        raise StudioError("PySide6 is not installed.", "", "Run: make setup")
    return Path(spec.submodule_search_locations[0]) / "Qt" / "plugins" / "platforms"


def _x_server_answers() -> bool:
    """Whether the X server of DISPLAY accepts a connection."""
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    answers = not xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return answers


def _wayland_answers() -> bool:
    """Whether the compositor of WAYLAND_DISPLAY accepts a connection."""
    wayland = ctypes.CDLL("libwayland-client.so.0")
    wayland.wl_display_connect.restype = ctypes.c_void_p
    wayland.wl_display_disconnect.argtypes = [ctypes.c_void_p]
    display = wayland.wl_display_connect(None)
    if display:
        wayland.wl_display_disconnect(display)
    return bool(display)
