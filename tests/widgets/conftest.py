"""What the tests of widgets share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtWidgets import QApplication

from tests.widgets.shell import fakes
from widgets.shell.app_state import AppState
from widgets.shell.main_window import MainWindow
from widgets.style import theme

if TYPE_CHECKING:
    from tests.widgets.viewport.hands import Held


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path) -> Iterator[AppState]:
    """The window's state with an empty runs folder, closed at the end."""
    made = AppState(tmp_path)
    yield made
    made.close()


@pytest.fixture
def engine() -> fakes.FakeEngine:
    """The engine's functions, answered by a test."""
    return fakes.FakeEngine()


@pytest.fixture
def held(qtbot: Any, app_state: AppState) -> Iterator[Held]:
    """A viewport under hands; its thread must end with it."""
    from tests.widgets.viewport.hands import Held  # MuJoCo with it: only the tests of the viewport need that

    made = Held(qtbot, app_state)
    yield made
    made.panel.shut_down()
    assert not made.panel.thread_.isRunning()


@pytest.fixture
def window(
    qtbot: Any, tmp_path: Path, engine: fakes.FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MainWindow]:
    """The whole window over fakes of plugins and engine."""
    theme.apply(QApplication.instance())
    made = MainWindow(AppState(tmp_path, registry=fakes.registry(fakes.PANELS), engine=engine.functions()))
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    app_state = made.app_state
    monkeypatch.setattr(made, "_ask_to_stop", lambda: True)  # a test that fails in mid-run must not wait for an answer
    app_state.document.ask = lambda: True  # nor one that has edited the experiment
    yield made
    app_state.close()
    theme.force(None)
