"""The queue in the window: it is used while a run trains, and goes on after the window was closed and opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QItemSelectionModel
from PySide6.QtWidgets import QPushButton

from plugins.panels.queue import QueuePanel
from studio.run.queue import Queue
from tests.widgets.shell import fakes
from widgets.shell.app_state import AppState
from widgets.shell.main_window import MainWindow


def start(qtbot: Any, runs: Path, engine: fakes.FakeEngine) -> MainWindow:
    made = MainWindow(AppState(runs, registry=fakes.registry(), engine=engine.functions()))
    made.app_state.document.ask = lambda: True
    made._ask_to_stop = lambda: True  # type: ignore[method-assign]
    qtbot.addWidget(made)
    made.show()
    made.app_state.load_plugins()
    qtbot.waitUntil(lambda: made.app_state.registry_is_ready, timeout=3000)
    return made


def states(runs: Path) -> list[tuple[str, str]]:
    return [(entry.experiment.name, entry.state) for entry in Queue(runs).entries()]


def select(panel: QueuePanel, *names: str) -> None:
    """Select entries by name, with none selected before."""
    panel.view.clearSelection()
    for row, entry in enumerate(panel.table.rows):
        if entry.experiment.name in names:
            flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
            panel.view.selectionModel().select(panel.table.index(row, 0), flags)


def test_queue_goes_on_after_a_failure_a_stop_and_a_restart(
    qtbot: Any, tmp_path: Path, engine: fakes.FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.run.queue_worker.WATCH_SECONDS", 0.02)
    window = start(qtbot, tmp_path, engine)
    app_state = window.app_state
    panel = QueuePanel(app_state)
    qtbot.addWidget(panel)

    def behave(session: fakes.FakeSession) -> None:
        engine.seconds = 30 if session.experiment.name in ("stopped", "closed") and not session.resumed else 0.01
        if session.experiment.name == "bad":
            raise RuntimeError("no such camera")

    engine.fail = behave
    engine.seconds = 30
    for name in ("stopped", "c", "bad", "b", "closed", "f"):
        app_state.edit(name=name)
        app_state.run()
        qtbot.waitUntil(lambda name=name: name in [n for n, _ in states(tmp_path)], timeout=3000)
        if name == "stopped":
            qtbot.waitUntil(lambda: len(engine.sessions) == 1, timeout=3000)
            assert window.commands.run.isEnabled() and window.commands.run.iconText() == "Queue"
    qtbot.waitUntil(lambda: len(panel.table.rows) == 6, timeout=3000)
    assert any("waits in the queue, after 4 others" in toast.text for toast in window.toasts.visible())
    select(panel, "b")
    panel.by_id["up"].trigger()
    qtbot.waitUntil(lambda: [n for n, _ in states(tmp_path)][2:4] == ["b", "bad"], timeout=3000)
    select(panel, "stopped")
    panel.by_id["skip"].trigger()
    qtbot.waitUntil(lambda: engine.sessions[-1].experiment.name == "closed", timeout=5000)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=3000)
    assert states(tmp_path) == [
        ("stopped", "stopped"),
        ("c", "finished"),
        ("b", "finished"),
        ("bad", "failed"),
        ("closed", "waiting"),
        ("f", "waiting"),
    ]

    later = start(qtbot, tmp_path, engine)
    qtbot.waitUntil(lambda: [s for _, s in states(tmp_path)][4:] == ["finished"] * 2, timeout=5000)
    assert [state for _, state in states(tmp_path)] == ["stopped", "finished", "finished", "failed", *["finished"] * 2]
    assert [session.resumed for session in engine.sessions[-2:]] == [True, False]
    assert any("goes on where it was left, with closed; 1 more wait" in t.text for t in later.toasts.visible())
    qtbot.waitUntil(lambda: not later.app_state.is_running, timeout=3000)
    later.close()


def test_a_stopped_comparison_is_offered_and_continued(
    qtbot: Any, window: MainWindow, engine: fakes.FakeEngine
) -> None:
    app_state, runs = window.app_state, window.app_state.runs_folder
    engine.seconds = 30
    with qtbot.waitSignal(app_state.progress, timeout=3000):
        app_state.compare()
    app_state.sessions.stop()
    qtbot.waitUntil(lambda: any("2 runs wait" in toast.text for toast in window.toasts.visible()), timeout=3000)
    assert [state for _, state in states(runs)] == ["stopped", "waiting", "waiting"]
    engine.seconds = 0.01
    (toast,) = [toast for toast in window.toasts.visible() if "2 runs wait" in toast.text]
    (button,) = toast.findChildren(QPushButton)
    button.click()
    qtbot.waitUntil(lambda: [state for _, state in states(runs)] == ["finished"] * 3, timeout=5000)
    assert engine.sessions[1].resumed and engine.sessions[1].experiment.name == "n5"
    qtbot.waitUntil(lambda: not app_state.is_running, timeout=3000)
    for session in engine.sessions:
        session.stopped.clear()
    with qtbot.waitSignal(app_state.runs_selected, timeout=3000):
        app_state.compare()
    assert any("All" in toast.text for toast in window.toasts.visible()) and len(engine.sessions) == 4
