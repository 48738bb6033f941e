"""What following a training costs the UI thread: counted in calls, so that it fails on any machine alike.

Every call from Python into Qt may hand the interpreter to the training thread and wait for it to come back; their
number decides how late the window answers and how fast the training goes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget

from plugins.panels.curves import CurvesPanel
from plugins.panels.log import LogPanel
from plugins.panels.runs import RunsPanel
from studio.events import DeviceSample, MetricsLogged, Progress, StateChanged
from studio.experiment import Experiment
from studio.store.runs import list_runs, write_status
from widgets.curves.overlay import key_of
from widgets.shell.app_state import AppState
from widgets.shell.pipeline_bar import PACE_MS, PipelineBar

LOSS = ("loss", "adapt")


class Paints(QObject):
    """Counts the paint events of a widget."""

    def __init__(self, watched: QWidget) -> None:
        super().__init__(watched)
        self.count = 0
        watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return False


def calls(work: Callable[[], Any]) -> int:
    """How many calls Python makes in ``work``, its own functions' and those into Qt and numpy."""
    made = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return made


def settle() -> None:
    for _ in range(5):
        QApplication.processEvents()


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path) -> Iterator[AppState]:
    made = AppState(tmp_path / "runs")
    yield made
    made.close()


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> CurvesPanel:
    made = CurvesPanel(app_state)
    qtbot.addWidget(made)
    made.resize(900, 330)
    made.show()
    qtbot.waitExposed(made)
    app_state.events.emit([StateChanged(str(app_state.runs_folder / "first"), "running")])
    app_state.events.emit([loss(step) for step in range(1, 300)])
    app_state.events.emit([DeviceSample(150.0, 900.0, math.nan, math.nan)])
    qtbot.waitUntil(lambda: LOSS in made.view.plots and not made.view._dirty, timeout=5000)
    settle()
    made.view._timer.stop()
    return made


def loss(step: int, value: float = 1.0) -> MetricsLogged:
    return MetricsLogged("adapt", step, step * 0.05, {"loss": value + 0.1 * math.sin(step)}, {"loss": ""})


def test_a_plot_without_new_content_is_painted_from_the_cache(panel: CurvesPanel) -> None:
    plot = panel.view.plots[LOSS]
    before = plot.layer.paints
    axis = plot.x_axis.picture
    assert axis is not None
    made = calls(plot.view.viewport().repaint)
    assert plot.layer.paints == before and plot.x_axis.picture is axis
    assert made < 120  # 68 in fact; 349 where the layer and both axes draw themselves


def test_the_cursor_moves_without_drawing_the_curves(qtbot: Any, panel: CurvesPanel) -> None:
    plot = panel.view.plots[LOSS]
    before, paints = plot.layer.paints, Paints(plot.view.viewport())
    for x in (50.0, 120.0, 200.0):
        plot.show_cursor(x)
        settle()
    assert plot.crosshair.isVisible() and paints.count >= 3
    assert plot.layer.paints == before


def test_new_numbers_cost_few_calls(panel: CurvesPanel, app_state: AppState) -> None:
    view, plot, spent = panel.view, panel.view.plots[LOSS], []
    for step in range(300, 320):
        app_state.events.emit([loss(step)])
        view._timer.stop()
        before = plot.layer.paints
        spent.append(calls(lambda: (view._redraw(), settle())))
        view._timer.stop()
        assert plot.layer.paints == before + 1  # once, however many labels changed with it
    assert sorted(spent)[len(spent) // 2] < 800, spent  # 590 in fact; 1,150 where nothing is kept
    assert max(spent) < 2000, spent  # 1,360 in fact where axes move; 3,140 with pyqtgraph's own labels


def test_an_axis_that_was_fitted_early_still_gets_its_unit(panel: CurvesPanel) -> None:
    plot = panel.view.plots["memory", ""]
    plot.x_axis.set_time(False)
    settle()
    before = plot.x_axis.picture
    plot.set_content(plot.content, True)
    settle()
    assert plot.x_axis.time and plot.x_axis.picture is not None and plot.x_axis.picture is not before


def test_numbers_do_not_lay_the_plot_out_anew(panel: CurvesPanel, app_state: AppState) -> None:
    view, plot = panel.view, panel.view.plots[LOSS]

    class Layouts(QObject):
        seen = 0

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            self.seen += event.type() == QEvent.Type.LayoutRequest
            return False

    layouts = Layouts(plot)
    plot.installEventFilter(layouts)
    before = plot.head.readout.text()
    app_state.events.emit([loss(step, 50.0) for step in range(300, 304)])
    view._redraw()
    settle()
    assert plot.head.readout.text() != before and layouts.seen == 0


def test_the_strip_is_drawn_at_a_readable_pace_and_only_when_it_changed(qtbot: Any, app_state: AppState) -> None:
    strip = PipelineBar(app_state)
    qtbot.addWidget(strip)
    strip.resize(1200, 62)
    strip.show()
    qtbot.waitExposed(strip)
    settle()
    paints = Paints(strip)
    app_state.events.emit([loss(1)])
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
    qtbot.waitUntil(lambda: "step 99 / 100" in strip.accessibleDescription(), timeout=4 * PACE_MS)


def test_progress_and_numbers_leave_tables_and_log_alone(qtbot: Any, app_state: AppState) -> None:
    runs, log = RunsPanel(app_state), LogPanel(app_state)
    for made in (runs, log):
        qtbot.addWidget(made)
    folder = key_of(app_state.runs_folder / "first")
    app_state.events.emit([StateChanged(str(folder), "running")])
    told: list[Any] = []
    rows = log.model.rowCount()
    runs.table.set_progress = lambda *a: told.append(a)  # type: ignore[method-assign]
    for step in range(50):
        app_state.events.emit([loss(step)])
        app_state.progress.emit(Progress("adapt", step, 100, step / 100, 0.5, 10.0))
    app_state.progress.emit(Progress("evaluate", 0, 200, 0.0, 0.8, 10.0))
    assert [entry[1] for entry in told] == ["adapt", "evaluate"]  # another stage is told at once
    assert log.model.rowCount() == rows


def test_the_list_of_runs_parses_no_experiment_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read anew at every heartbeat, on a thread that shares the interpreter with training."""
    parsed: list[Path] = []
    load = Experiment.load
    monkeypatch.setattr(Experiment, "load", lambda path: (parsed.append(path), load(path))[1])
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "experiment.yaml").write_text(Experiment().to_yaml())
        write_status(tmp_path / name, {"state": "finished", "created": 1.0})
    assert len(list_runs(tmp_path)) == 2 and len(parsed) == 2
    write_status(tmp_path / "a", {"state": "failed", "created": 1.0})
    assert {run.folder.name: run.state for run in list_runs(tmp_path)} == {"a": "failed", "b": "finished"}
    assert len(parsed) == 2
    (tmp_path / "b" / "experiment.yaml").write_text(Experiment(seed=12345).to_yaml())
    assert {run.seed for run in list_runs(tmp_path)} == {0, 12345}
