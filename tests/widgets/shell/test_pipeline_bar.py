"""The pipeline bar: which run it reports; drawn at a readable pace, and only when it changed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from studio.events import DeviceSample, Evaluated, MetricsLogged, Progress
from studio.experiment import Experiment
from studio.run.queue_entry import Job
from tests.widgets.paints import Paints, settle
from tests.widgets.shell import fakes
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


SCORE = Evaluated("evaluate", "target", 800, 200, -40.23, -50.0, -30.0, -40.23, True, measure="return")


def test_pipeline_bar_is_ready_when_the_experiment_changes(qtbot: Any, app_state: AppState) -> None:
    bar = PipelineBar(app_state)
    qtbot.addWidget(bar)
    app_state.set_experiment(Experiment(name="cheetah"))
    app_state.job_changed.emit(0, 1, Job(app_state.experiment))
    app_state.events.emit([SCORE])
    app_state.state_changed.emit("finished")
    assert bar.pipeline.status.startswith("cheetah  ·  Finished") and "-40.23" in bar.pipeline.status
    app_state.edit(**{"strategy.id": "lora", "target.episodes": 7})
    assert bar.pipeline.status == "Ready" and "7 episodes" in bar.pipeline.headline
    assert "-40.23" not in bar.toolTip() + bar.accessibleDescription()


def test_pipeline_bar_names_the_run_and_not_what_is_edited(
    qtbot: Any, tmp_path: Path, engine: fakes.FakeEngine
) -> None:
    app_state = AppState(tmp_path, registry=fakes.registry(), engine=engine.functions())
    bar = PipelineBar(app_state)
    qtbot.addWidget(bar)
    engine.seconds = 30
    with qtbot.waitSignal(app_state.progress, timeout=3000):
        app_state.compare()  # of 5, 20 and 100 episodes; 50 are edited
    assert "5 episodes" in bar.pipeline.headline
    assert bar.pipeline.status.startswith("n5  ·  run 1 of 3  ·  step 320 / 800")
    app_state.edit(**{"target.episodes": 77})
    assert "5 episodes" in bar.pipeline.headline and bar.pipeline.status.startswith("n5  ·  run 1 of 3")
    with qtbot.waitSignal(app_state.running_changed, timeout=3000):
        app_state.sessions.stop()
    assert bar.pipeline.status == "n5  ·  Stopped" and "5 episodes" in bar.pipeline.headline
    folder = fakes.kept_run(tmp_path, "of_last_week", **{"target.episodes": 9})
    app_state.resume(folder)
    qtbot.waitUntil(lambda: bar.pipeline.status.startswith("of_last_week"), timeout=3000)
    assert "9 episodes" in bar.pipeline.headline
    app_state.close()
