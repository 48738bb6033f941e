"""The command line finds the window through its entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from studio.cli import window
from studio.cli.main import main


def test_main_opens_the_window_of_the_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("main", f"{__name__}:opened", window.GROUP)
    monkeypatch.setattr(window, "entry_points", lambda **wanted: EntryPoints([point]).select(**wanted))
    assert main([]) == 7


def test_main_without_a_window_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(window, "entry_points", lambda **wanted: EntryPoints([]))
    assert main([]) == 1
    assert "The window is not installed. Install Transfer Studio again" in capfd.readouterr().err


def test_window_function_is_the_window_of_this_project() -> None:
    assert window.window_function("main").__module__ == "widgets.shell.app"


def opened(experiment: None) -> int:
    """Stand in for the window."""
    return 7
