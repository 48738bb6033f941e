"""What the table of runs and the log draw while a training's numbers come."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.panels.log import LogPanel
from plugins.panels.runs import RunsPanel
from studio.events import MetricsLogged, Progress, StateChanged
from widgets.curves.overlay import key_of
from widgets.shell.app_state import AppState


def test_progress_and_numbers_leave_tables_and_log_alone(
    qtbot: Any, app_state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, log = RunsPanel(app_state), LogPanel(app_state)
    for made in (runs, log):
        qtbot.addWidget(made)
    folder = key_of(app_state.runs_folder / "first")
    app_state.events.emit([StateChanged(str(folder), "running")])
    drawn: list[Any] = []
    rows = log.model.rowCount()
    monkeypatch.setattr(runs.table, "set_progress", lambda *a: drawn.append(a))
    for step in range(50):
        app_state.events.emit([MetricsLogged("adapt", step, step * 0.05, {"loss": 1.0}, {"loss": ""})])
        app_state.progress.emit(Progress("adapt", step, 100, step / 100, 0.5, 10.0))
    app_state.progress.emit(Progress("evaluate", 0, 200, 0.0, 0.8, 10.0))
    assert [entry[1] for entry in drawn] == ["adapt", "evaluate"]  # another stage is drawn at once
    assert log.model.rowCount() == rows
