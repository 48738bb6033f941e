"""The pipeline bar: drawn at a readable pace, and only when it changed."""

from __future__ import annotations

import math
from typing import Any

from studio.events import DeviceSample, MetricsLogged, Progress
from tests.widgets.paints import Paints, settle
from widgets.shell.app_state import AppState
from widgets.shell.pipeline_bar import PACE_MS, PipelineBar


def test_pipeline_bar_is_drawn_only_when_it_changed(qtbot: Any, app_state: AppState) -> None:
    bar = PipelineBar(app_state)
    qtbot.addWidget(bar)
    bar.resize(1200, 62)
    bar.show()
    qtbot.waitExposed(bar)
    settle()
    paints = Paints(bar)
    app_state.events.emit([MetricsLogged("adapt", 1, 0.05, {"loss": 1.0}, {"loss": ""})])
    app_state.events.emit([DeviceSample(150.0, 900.0, math.nan, math.nan)])
    app_state.experiment_changed.emit(app_state.experiment)
    settle()
    assert paints.count == 0
    app_state.state_changed.emit("running")
    settle()
    paints.count = 0
    for step in range(100):
        app_state.progress.emit(Progress("adapt", step, 100, step / 100, 0.5, 10.0))
        settle()
    assert 1 <= paints.count <= 3
    qtbot.waitUntil(lambda: "step 99 / 100" in bar.accessibleDescription(), timeout=4 * PACE_MS)
