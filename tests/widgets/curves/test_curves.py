"""The Curves panel: what comes is drawn, overlaid, read, exported; and it stays cheap."""

from __future__ import annotations

import csv
import gc
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QTimer
from PySide6.QtGui import QImage
from PySide6.QtSvg import QSvgRenderer

from plugins.panels.curves import CurvesPanel
from studio.errors import StudioError
from studio.events import CheckpointSaved, DeviceSample, Evaluated, Events, MetricsLogged, StateChanged
from studio.experiment import Experiment
from studio.run.queue_entry import Job
from studio.store.log_writer import RunLog
from widgets.curves.content import SUCCESS
from widgets.curves.data import VALUE, RunData
from widgets.curves.overlay import Overlay, key_of
from widgets.shell.app_state import AppState
from widgets.style import theme


def fake_run(folder: Path, points: int = 300, scale: float = 1.0) -> RunData:
    run = RunData(key_of(folder), f"lora · 50 ep · seed {folder.name[-1]}")
    for step in range(points):
        run.add_metrics("adapt", step, step * 0.1, {"loss": scale * (1 + math.cos(step / 20)), "accuracy": 0.5}, {})
    run.add_score("adapt", "target", points, 0.34, 0.28, 0.41)
    run.add_score("adapt", "source", points, 0.8, 0.7, 0.9)
    for step in (100, 200):
        run.add_checkpoint("adapt", step)
    return run


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path) -> Iterator[AppState]:
    theme.force("light")
    made = AppState(tmp_path / "runs")
    yield made
    made.close()
    theme.force(None)


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> CurvesPanel:
    return shown(qtbot, CurvesPanel(app_state, load_run=fake_run))


def shown(qtbot: Any, made: CurvesPanel) -> CurvesPanel:
    qtbot.addWidget(made)
    made.resize(1000, 420)
    made.show()
    qtbot.waitExposed(made)
    return made


def begin(app_state: AppState, run: str = "first") -> Path:
    folder = app_state.runs_folder / run
    app_state.events.emit([StateChanged(str(folder), "running")])
    return key_of(folder)


def loss(step: int, value: float = 1.0, stage: str = "adapt") -> MetricsLogged:
    return MetricsLogged(stage, step, step * 0.5, {"loss": value}, {"loss": ""})


def drawn(qtbot: Any, panel: CurvesPanel, key: tuple[str, str], curves: int = 1) -> Any:
    qtbot.waitUntil(
        lambda: key in panel.view.plots and len(panel.view.plots[key].content.curves) == curves and panel.view.is_drawn,
        timeout=5000,
    )
    return panel.view.plots[key]


def test_a_real_log_is_drawn(qtbot: Any, app_state: AppState, tmp_path: Path) -> None:
    """The engine's own writer and reader, without a fake in between."""
    folder = tmp_path / "runs" / "real"
    (folder / "checkpoints" / "adapt-40").mkdir(parents=True)
    experiment = Experiment().changed(**{"strategy.id": "full_finetuning"})
    (folder / "experiment.yaml").write_text(experiment.to_yaml())
    events = Events()
    log = RunLog(folder / "log.h5", events, experiment)
    for step in range(50):
        events.publish(loss(step, float(step)))
    events.publish(Evaluated("evaluate", "target", 49, 200, 0.34, 0.28, 0.41, 1.0, True))
    events.publish(DeviceSample(150.0, 900.0, math.nan, math.nan))
    log.close()
    panel = CurvesPanel(app_state)
    qtbot.addWidget(panel)
    panel.resize(1000, 420)
    panel.show()
    app_state.runs_selected.emit([folder])
    plot = drawn(qtbot, panel, ("loss", "adapt"))
    run = panel.view.runs[0]
    assert run.name == "full finetuning · 50 ep · seed 0" and run.checkpoints == [("adapt", 40)]
    assert list(plot.content.curves[0].raw_y) == [float(step) for step in range(50)]
    assert run.scores["adapt", "success", "target"].column(VALUE)[0] == 0.34
    assert [c.kind for c in drawn(qtbot, panel, ("load", "")).content.curves] == ["CPU"]


# -- live


def test_nothing_yet_is_a_friendly_sentence(panel: CurvesPanel) -> None:
    assert not panel.stack.has_content and not panel.bar.isEnabled()


def test_a_run_is_drawn_as_it_goes(qtbot: Any, app_state: AppState, panel: CurvesPanel) -> None:
    folder = begin(app_state)
    app_state.events.emit([loss(step, 2.0, "pretrain") for step in range(50)])
    app_state.events.emit([loss(step, 1.0 + step) for step in range(100)])
    app_state.events.emit([Evaluated("adapt", "target", 90, 200, 0.34, 0.28, 0.41, 1.0, True)])
    app_state.events.emit([DeviceSample(150.0, 900.0, math.nan, math.nan)])
    plot = drawn(qtbot, panel, ("loss", "adapt"))
    assert panel.stack.has_content and plot.content.curves[0].run == folder
    assert list(plot.content.curves[0].raw_y) == [1.0 + step for step in range(100)]
    assert ("loss", "pretrain") in panel.view.plots  # the stages stand apart
    success = drawn(qtbot, panel, (SUCCESS, "adapt")).content.curves[0]
    assert (success.y[0], success.low[0], success.high[0]) == (0.34, 0.28, 0.41)
    assert "0.34" in panel.view.plots[SUCCESS, "adapt"].head.readout.text()
    assert [c.kind for c in panel.view.plots["load", ""].content.curves] == ["CPU"]  # no GPU here
    app_state.events.emit([loss(100, 500.0)])
    qtbot.waitUntil(lambda: len(plot.content.curves[0].x) == 101)
    assert plot.box.viewRange()[0][1] >= 100


def test_hidden_plots_cost_nothing(qtbot: Any, app_state: AppState, panel: CurvesPanel, monkeypatch: Any) -> None:
    begin(app_state)
    app_state.events.emit([loss(0)])
    drawn(qtbot, panel, ("loss", "adapt"))
    panel.hide()
    built: list[Any] = []
    monkeypatch.setattr("widgets.curves.view.build", lambda *a: built.append(a))
    app_state.events.emit([loss(step) for step in range(1, 50)])
    qtbot.wait(250)
    assert built == []
    monkeypatch.undo()
    panel.show()
    qtbot.waitUntil(lambda: len(panel.view.plots["loss", "adapt"].content.curves[0].x) == 50)


def test_a_new_run_takes_a_color_of_its_own(qtbot: Any, app_state: AppState, panel: CurvesPanel) -> None:
    first, overlay = begin(app_state, "a"), Overlay.of(app_state)
    app_state.events.emit([loss(0), loss(1)])
    app_state.events.emit([StateChanged(str(first), "finished")])
    overlay.set_shown([first], True)
    second = begin(app_state, "b")
    app_state.events.emit([loss(0, 5.0), loss(1, 5.0)])
    plot = drawn(qtbot, panel, ("loss", "adapt"), curves=2)
    assert overlay.shown == [first, second] and overlay.color(first) != overlay.color(second)
    assert [c.color for c in plot.content.curves] == [overlay.color(first), overlay.color(second)]
    assert [c.y[-1] for c in plot.content.curves] == [1.0, 5.0]  # the second's numbers did not go to the first


def test_overlay_shows_the_live_run_and_what_was_ticked(app_state: AppState) -> None:
    overlay, ticked = Overlay.of(app_state), key_of(app_state.runs_folder / "ticked")
    overlay.set_shown([ticked], True)

    def run(name: str, task: str, index: int = 0) -> Path:
        app_state.job_changed.emit(index, 2, Job(Experiment().changed(**{"target.task": task})))
        folder = begin(app_state, name)
        app_state.events.emit([StateChanged(str(folder), "finished")])
        return folder

    run("a", "half_cheetah")
    b = run("b", "reach")
    assert overlay.shown == [ticked, b]  # the run before it is left out, though nobody removed it
    c = run("c", "reach", index=1)
    assert overlay.shown == [ticked, b, c]  # runs of one comparison stay together
    app_state.edit(**{"target.task": "reach", "seed": 5})
    assert overlay.shown == [ticked, b, c]
    app_state.edit(**{"target.task": "half_cheetah"})
    assert overlay.shown == [ticked]


def test_returns_of_other_tasks_have_plots_of_their_own(qtbot: Any, app_state: AppState) -> None:
    def load(folder: Path) -> RunData:
        run = RunData(key_of(folder), folder.name, "half_cheetah" if folder.name == "a" else "reach")
        run.add_metrics("adapt", 1, 0.1, {"loss": 1.0, "return": 5.0, "return/velocity 1": 2.0}, {})
        return run

    panel = shown(qtbot, CurvesPanel(app_state, load_run=load))
    app_state.runs_selected.emit([app_state.runs_folder / "a"])
    qtbot.waitUntil(lambda: ("return", "adapt") in panel.view.plots)
    panel.view.set_shown(("return/velocity", "adapt"), False)
    app_state.runs_selected.emit([app_state.runs_folder / name for name in "ab"])
    drawn(qtbot, panel, ("loss", "adapt"), curves=2)
    (curve,) = drawn(qtbot, panel, ("return @ half_cheetah", "adapt")).content.curves
    assert curve.run == key_of(app_state.runs_folder / "a")
    assert panel.view.plots["return @ reach", "adapt"].head.name() == "Return · reach"
    assert {metric for metric, _ in panel.view.plots if metric.startswith("return")} == {
        "return @ half_cheetah",
        "return @ reach",
    }  # what was hidden stays hidden


def test_a_resumed_run_goes_on_from_its_log(qtbot: Any, app_state: AppState, panel: CurvesPanel) -> None:
    app_state.job_changed.emit(0, 1, Job(Experiment(), app_state.runs_folder / "old0"))
    begin(app_state, "old0")
    app_state.events.emit([loss(250, 9.0), loss(251, 9.0)])
    plot = drawn(qtbot, panel, ("loss", "adapt"))
    qtbot.waitUntil(lambda: len(plot.content.curves[0].x) == 252, timeout=3000)
    assert plot.content.curves[0].raw_y[-1] == 9.0 and plot.content.curves[0].steps[0] == 0


def test_the_label_of_the_running_session_is_its_experiment(
    qtbot: Any, app_state: AppState, panel: CurvesPanel
) -> None:
    app_state.job_changed.emit(0, 1, Job(Experiment().changed(**{"strategy.id": "maml", "target.episodes": 20})))
    begin(app_state)
    assert panel.feed.live is not None and panel.feed.live.name == "maml · 20 ep · seed 0"


def test_plots_fill_the_room_they_have(qtbot: Any, panel: CurvesPanel, app_state: AppState) -> None:
    app_state.runs_selected.emit([app_state.runs_folder / "run0"])
    drawn(qtbot, panel, ("loss", "adapt"))
    for size, columns in (((1400, 260), 4), ((1000, 600), 2), ((330, 900), 1)):
        panel.resize(*size)
        qtbot.waitUntil(lambda columns=columns: panel.view.columns == columns)


# -- overlay, cursor, options


@pytest.fixture
def two(qtbot: Any, app_state: AppState, panel: CurvesPanel) -> Any:
    app_state.runs_selected.emit([app_state.runs_folder / "run0", app_state.runs_folder / "run1"])
    return drawn(qtbot, panel, ("loss", "adapt"), curves=2)


def test_selected_runs_are_read_in_the_background_and_laid_over(
    panel: CurvesPanel, app_state: AppState, two: Any
) -> None:
    assert [c.label for c in two.content.curves] == ["seed 0", "seed 1"]
    assert panel.view.legend.isVisible() and panel.view.legend.model.rowCount() == 2
    app_state.runs_selected.emit([])
    assert not panel.stack.has_content and panel.feed.loaded == {}


def test_the_legend_does_not_cut_names_in_a_narrow_window(qtbot: Any, app_state: AppState) -> None:
    def named(folder: Path) -> RunData:
        run = fake_run(folder)
        run.name = f"{'Feature extraction' if folder.name == 'a' else 'Full fine-tuning'} · 50 ep · seed 0"
        return run

    panel = shown(qtbot, CurvesPanel(app_state, load_run=named))
    panel.resize(690, 270)  # as in a window of 1440 × 900
    app_state.runs_selected.emit([app_state.runs_folder / "a", app_state.runs_folder / "b"])
    drawn(qtbot, panel, ("loss", "adapt"), curves=2)
    table = panel.view.legend.table
    qtbot.waitUntil(lambda: table.columnWidth(0) >= table.sizeHintForColumn(0))
    assert [row.label for row in panel.view.legend.model.rows] == ["Feature extraction", "Full fine-tuning"]


def test_an_empty_panel_says_what_the_experiment_asks(panel: CurvesPanel, app_state: AppState) -> None:
    app_state.edit(title="A wall in the way", description="It goes around a wall & learns < nothing else.")
    text = panel.stack.sentence.text()
    assert "A wall in the way" in text and "a wall &amp; learns &lt; nothing" in text and "Press Run" in text


def test_a_run_that_cannot_be_read_is_reported_once(qtbot: Any, app_state: AppState) -> None:
    def broken(folder: Path) -> RunData:
        raise StudioError("The log cannot be read.", str(folder))

    panel = shown(qtbot, CurvesPanel(app_state, load_run=broken))
    toasts: list[str] = []
    app_state.toast.connect(lambda level, text, _: toasts.append(text))
    app_state.runs_selected.emit([app_state.runs_folder / "bad"])
    qtbot.waitUntil(lambda: bool(toasts))
    app_state.events.emit([StateChanged(str(app_state.runs_folder / "other"), "running")])
    qtbot.wait(100)
    assert len(toasts) == 1 and "The log cannot be read." in toasts[0] and panel.view.runs == [panel.feed.live]


def test_the_crosshair_reads_every_curve(qtbot: Any, panel: CurvesPanel, two: Any) -> None:
    panel.bar.slider.setValue(0)
    qtbot.waitUntil(lambda: two.content.curves[0].raw_y is None)
    two.hovered.emit(two.key, 120.2)
    qtbot.waitUntil(lambda: "step 120" in panel.view.legend.caption.text())
    expected = f"{1 + math.cos(6):.3g}"
    assert [row.value for row in panel.view.legend.model.rows] == [expected, expected]
    two.hovered.emit(two.key, None)
    qtbot.waitUntil(lambda: "latest" in panel.view.legend.caption.text())


def test_a_click_on_a_curve_plays_the_nearest_checkpoint(
    qtbot: Any, app_state: AppState, panel: CurvesPanel, two: Any
) -> None:
    panel.bar.slider.setValue(0)
    qtbot.waitUntil(lambda: two.content.curves[0].raw_y is None)
    curve = two.content.curves[0]
    place = two.box.mapViewToScene(QPointF(180.0, float(curve.y[180])))
    assert two.nearest(place) is not None and two.nearest(place + QPointF(0, 60)) is None
    at = two.view.mapFromScene(place)
    with qtbot.waitSignal(app_state.checkpoint_chosen) as caught:
        qtbot.mouseMove(two.view.viewport(), at)
        qtbot.mouseClick(two.view.viewport(), _left(), pos=at)
    assert caught.args[0] in [c.run for c in two.content.curves] and caught.args[1] == 200


def _left() -> Any:
    from PySide6.QtCore import Qt

    return Qt.MouseButton.LeftButton


def test_log_axis_time_axis_and_smoothing(qtbot: Any, panel: CurvesPanel, two: Any) -> None:
    raw = two.content.curves[0].raw_y.copy()
    panel.bar.log_y.setChecked(True)
    qtbot.waitUntil(lambda: two.content.log and panel.view.is_drawn)
    low, high = two.box.viewRange()[1]
    assert high == pytest.approx(math.log10(2), abs=0.5) and low < -1
    panel.bar.log_y.setChecked(False)
    panel.bar.by_time.trigger()
    qtbot.waitUntil(lambda: not two.content.log and two.content.curves[0].x[-1] == pytest.approx(29.9))
    panel.bar.slider.setValue(99)
    qtbot.waitUntil(lambda: panel.view.is_drawn)
    assert np.ptp(two.content.curves[0].y) < 0.8 * np.ptp(raw)


def test_linked_plots_move_together_and_fit_shows_all_again(qtbot: Any, panel: CurvesPanel, two: Any) -> None:
    panel.view.set_shown(("accuracy", "adapt"), True)
    other = drawn(qtbot, panel, ("accuracy", "adapt"), curves=2)
    two.box.setXRange(50, 100, padding=0)
    two.box.sigRangeChangedManually.emit([True, False])
    assert other.box.viewRange()[0] == pytest.approx([50, 100])
    panel.bar.link_x.setChecked(False)
    two.box.setXRange(10, 20, padding=0)
    two.box.sigRangeChangedManually.emit([True, False])
    assert other.box.viewRange()[0] == pytest.approx([50, 100])
    panel.bar.fit.trigger()
    qtbot.waitUntil(lambda: other.box.viewRange()[0][1] > 290 and two.box.viewRange()[0][1] > 290)


def test_plots_are_chosen_by_search(qtbot: Any, panel: CurvesPanel, two: Any) -> None:
    panel.bar.chooser.open()
    panel.bar.chooser.search.setText("accu")
    assert panel.bar.chooser.proxy.rowCount() == 1 and ("accuracy", "adapt") not in panel.view.plots
    panel.bar.chooser.search.returnPressed.emit()
    assert ("accuracy", "adapt") in panel.view.plots
    panel.bar.chooser.popup.hide()
    panel.view.set_shown(("loss", "adapt"), False)
    assert ("loss", "adapt") not in panel.view.plots


def test_reference_lines_follow_the_axis(panel: CurvesPanel, two: Any) -> None:
    panel.view.set_references(SUCCESS, [("expert", 1.0)])
    success = panel.view.plots[SUCCESS, "adapt"]
    (line,) = success.reference_lines
    assert line.value() == 1.0 and "expert 1.00" in line.label.format
    assert success.box.viewRange()[1][1] > 1.1  # room for the label


def test_the_look_follows_the_scheme(qtbot: Any, panel: CurvesPanel, two: Any) -> None:
    light = two.content.curves[0].color
    theme.force("dark")
    theme.changed.emit()
    qtbot.waitUntil(lambda: two.content.curves[0].color != light)
    assert two.view.backgroundBrush().color() == theme.color("plot_background")


# -- export


def test_export_png_svg_csv(qtbot: Any, app_state: AppState, panel: CurvesPanel, two: Any, tmp_path: Path) -> None:
    for kind in ("png", "svg", "csv"):
        panel.exports.save(tmp_path / f"figure.{kind}")
    qtbot.waitUntil(lambda: all((tmp_path / f"figure.{k}").exists() for k in ("png", "svg", "csv")), timeout=10_000)
    image = QImage(str(tmp_path / "figure.png"))
    assert image.width() > 800
    colors = {image.pixelColor(x, y).name() for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)}
    assert two.content.curves[0].color.name() in colors  # something is drawn, in the run's color
    assert QSvgRenderer(str(tmp_path / "figure.svg")).isValid()
    assert "seed 1" in (tmp_path / "figure.svg").read_text()
    with (tmp_path / "figure.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == ("run", "stage", "metric", "step", "seconds", "value")
    first = [row for row in rows if row["run"] == "run0" and row["metric"] == "loss"]
    assert len(first) == 300 and float(first[7]["value"]) == 1 + math.cos(7 / 20)  # as logged, not smoothed
    assert {row["metric"] for row in rows} >= {
        "evaluation/target_success",
        "evaluation/target_success_low",
        "evaluation/source_success_high",
    }
    assert "accuracy" not in {row["metric"] for row in rows}  # it has no plot
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


# -- the end


def test_nothing_is_left_after_the_end(qtbot: Any, app_state: AppState) -> None:
    made = CurvesPanel(app_state, load_run=fake_run)
    made.resize(800, 300)
    made.show()
    app_state.runs_selected.emit([app_state.runs_folder / "run0"])
    qtbot.waitUntil(lambda: bool(made.view.plots) and made.view.is_drawn)
    timers = made.findChildren(QTimer)
    made.hide()
    assert not any(timer.isActive() for timer in timers)
    with qtbot.waitSignal(made.destroyed):
        made.deleteLater()
    app_state.events.emit([CheckpointSaved("adapt", 1, "x")])  # reaches nobody, and nobody falls over it
    theme.changed.emit()
    gc.collect()
