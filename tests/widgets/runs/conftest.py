"""The Runs panel over a fake disk."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.panels.runs import RunsPanel
from tests.widgets.runs.fake_disk import Info, functions
from widgets.curves.overlay import key_of
from widgets.shell.app_state import AppState


@pytest.fixture
def disk(tmp_path: Path) -> dict[str, Any]:
    """What lies on disk, who listed it, what was exported and what was moved to the trash."""
    folder = key_of(tmp_path / "runs")
    nan = math.nan
    now = time.time()
    made = {
        "runs": [
            Info(folder / "a", "lora", 0, 0.30, created=now - 400),
            Info(folder / "b", "lora", 1, 0.40, created=now - 300, source_success=0.5),
            Info(folder / "c", "from_scratch", 0, 0.06, created=now - 200, has_adapter=False, episodes=5),
            Info(folder / "d", "full_finetuning", 0, nan, "stopped", created=now - 100, low=nan, high=nan),
        ],
        "threads": [],
        "error": None,
        "exported": [],
        "trash": [],
    }
    return made


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path, disk: dict[str, Any]) -> Iterator[AppState]:
    made = AppState(tmp_path / "runs", engine=functions(disk))
    yield made
    made.close()


@pytest.fixture
def panel(qtbot: Any, app_state: AppState, disk: dict[str, Any]) -> RunsPanel:
    made = RunsPanel(app_state)
    qtbot.addWidget(made)
    made.resize(1100, 300)
    made.show()
    qtbot.waitUntil(lambda: made.table.rowCount() == 4)
    return made
