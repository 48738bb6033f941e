"""Whether Qt can open a window, asked before Qt is loaded: fakes stand in for the machine's libraries."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.cli import doctor, qt_platform
from studio.cli.main import main
from studio.errors import StudioError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks the dynamic linker of Linux")
ROOT = Path(__file__).parents[3]
X11 = {"DISPLAY": ":0"}


def linker(*missing: str) -> qt_platform.Loader:
    """A dynamic linker that finds everything but these, and no plugin that needs them."""

    def load(name: str) -> object:
        lacks = missing and ("libqxcb" in name or "libqoffscreen" in name)
        if lacks or name in missing:
            raise OSError(f"{missing[0]}: cannot open shared object file: No such file or directory")
        return object()

    return load


@pytest.mark.parametrize(
    ("environment", "order"),
    [
        ({}, []),
        ({"DISPLAY": ":0"}, ["xcb"]),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, ["wayland", "xcb"]),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0", "XDG_SESSION_TYPE": "x11"}, ["xcb", "wayland"]),
        ({"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}, ["offscreen"]),
    ],
)
def test_platforms_in_the_order_that_qt_tries(environment: dict[str, str], order: list[str]) -> None:
    assert qt_platform.platforms(environment) == order


def test_missing_libraries_are_all_named_with_apts_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(StudioError) as caught:
        qt_platform.startable_platform(X11, linker("libxcb-cursor.so.0", "libxcb-icccm.so.4"))
    assert "cannot start on 'xcb'" in caught.value.message
    line = "sudo apt-get install -y --no-install-recommends libxcb-cursor0 libxcb-icccm4"
    assert caught.value.remedy == f"Run: {line}"


def test_a_library_of_no_list_is_named_by_the_linker() -> None:
    with pytest.raises(StudioError, match=r"libodd\.so\.1: cannot open shared object"):
        qt_platform.startable_platform(X11, linker("libodd.so.1"))


def test_a_display_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(StudioError, match="DISPLAY=:4711 does not answer"):
        qt_platform.startable_platform({"DISPLAY": ":4711"}, linker())


def test_an_unknown_qt_platform_is_said() -> None:
    with pytest.raises(StudioError, match=r"no platform 'xbc'.*Unset QT_QPA_PLATFORM"):
        qt_platform.startable_platform({"QT_QPA_PLATFORM": "xbc"})


def test_doctor_says_no_where_the_platform_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    load = linker("libxcb-cursor.so.0")
    monkeypatch.setattr(doctor, "startable_platform", lambda _: qt_platform.startable_platform(X11, load))
    with pytest.raises(doctor._Missing, match="libxcb-cursor0") as caught:
        doctor._qt()
    assert "libxcb-cursor0" in caught.value.remedy


def test_the_window_says_what_is_missing_before_qt_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def never(name: str) -> Any:
        raise AssertionError("Qt would have been loaded")

    monkeypatch.setattr("studio.cli.window.window_function", never)
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    assert main([]) == 1
    assert "There is no display to open the window on" in capfd.readouterr().err


def test_the_set_up_and_the_doctor_read_one_list() -> None:
    assert "assets/system_libraries.txt" in (ROOT / "tools/setup.sh").read_text(encoding="utf-8")
    rows = [
        line.split()
        for line in (ROOT / "assets/system_libraries.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert {row[0] for row in rows} == {"base", "x11", "wayland"} and all(len(row) > 2 for row in rows)
    assert all(re.fullmatch(r"lib[\w.-]+\.so\.\d+|[/~].*", what) for row in rows for what in row[2:])
