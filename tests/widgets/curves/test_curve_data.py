"""What lies under the curves: growable series, logs as plots, decimation, labels, ticks, files."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from studio.errors import StudioError
from widgets.curves import export
from widgets.curves.axis import PlotAxis, clock, number
from widgets.curves.content import SUCCESS, available, build
from widgets.curves.curve import Options
from widgets.curves.data import VALUE, RunData, Series
from widgets.curves.feed import shorten_labels
from widgets.curves.plot import CurvePlot
from widgets.curves.strokes import decimate
from widgets.style import theme


def test_a_series_grows_and_a_resumed_run_overwrites() -> None:
    series = Series(capacity=2)
    for step in range(100):
        series.append(step, step, step * 2.0)
    series.append(60, 60, -1.0)
    assert len(series) == 61 and series.column(VALUE)[59] == 118 and series.column(VALUE)[60] == -1
    whole = Series.of([0, 1, 2, 1, 2, 3], [0, 1, 2, 3, 4, 5], [0, 10, 20, 11, 21, 31])
    assert list(whole.column(VALUE)) == [0, 11, 21, 31]


def test_a_log_is_read_with_evaluations_load_and_checkpoints() -> None:
    log = SimpleNamespace(
        metrics={
            ("pretrain", "loss"): SimpleNamespace(step=[0, 1], time=[0.0, 2.0], value=[1.0, 0.5], unit="nats"),
            ("adapt", "loss"): SimpleNamespace(step=[0, 10], time=[4.0, 8.0], value=[0.9, np.nan], unit="nats"),
        },
        evaluations=[
            {"stage": "evaluate", "domain": "target", "step": 5, "success": 0.3, "low": 0.2, "high": 0.4},
        ],
        devices={
            "time": np.array([1000.0, 1001.0]),
            "cpu_percent": np.array([50.0, 60.0]),
            "gpu_percent": np.array([np.nan, np.nan]),
        },
    )
    run = RunData.from_log(Path("x"), "x", log, [("adapt", 10)])
    assert available([run])[:3] == [("loss", "pretrain"), ("loss", "adapt"), (SUCCESS, "adapt")]
    assert run.scores["adapt", "success", "target"].x("time")[0] == 6.0  # half way between the logged steps
    assert list(run.devices) == ["cpu_percent"] and list(run.devices["cpu_percent"].x("time")) == [0.0, 1.0]
    content = build(("loss", "adapt"), [run], Options(log_y=True), lambda _: theme.series(0))
    assert content.unit == "nats" and list(content.curves[0].y) == [math.log10(0.9)]  # the NaN is left out
    assert run.nearest_checkpoint("adapt", 3) == 10 and run.nearest_checkpoint("pretrain", 3) is None


def test_decimation_keeps_peaks_and_bounds_the_points() -> None:
    x, y = np.arange(100_000.0), np.zeros(100_000)
    y[54_321] = 7.0
    near_x, near_y = decimate(x, y, 0, 100_000, 400)
    assert len(near_x) <= 1000 and near_y.max() == 7.0 and np.all(np.diff(near_x) >= 0)
    part, _ = decimate(x, y, 500, 600, 400)
    assert part[0] <= 500 and part[-1] >= 600 and len(part) < 110


def test_labels_are_as_short_as_tells_runs_apart() -> None:
    runs = [RunData(Path(f"/r/{i}"), name) for i, name in enumerate(["lora · 50 ep · seed 0", "maml · 50 ep · seed 0"])]
    shorten_labels(runs)
    assert [run.label for run in runs] == ["lora", "maml"]
    same = [RunData(Path(f"/r/{i}"), "lora · 50 ep · seed 0") for i in "ab"]
    shorten_labels(same)
    assert len({run.label for run in same}) == 2


def test_export_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="cannot be written"):
        export.write(tmp_path / "none" / "x.csv", b"1")


@pytest.mark.parametrize(
    ("span", "time", "width"), [(800, False, 110), (1e6, False, 400), (70, True, 90), (9000, True, 300)]
)
def test_labels_under_a_plot_are_few_enough_to_read(qtbot: Any, span: float, time: bool, width: int) -> None:
    axis = PlotAxis("bottom")
    axis.time = time
    ((_, values),) = axis.tickValues(0, span, width)
    assert len(values) >= 2 and np.diff(values).min() / span * width >= 40


def test_numbers_and_durations_read_well() -> None:
    assert [number(v) for v in (0.03456, 12.345, 1390.4, 3e-7, math.nan)] == [
        "0.0346",
        "12.3",
        "1,390",
        "3.00e-07",
        "–",
    ]
    assert [clock(v) for v in (12, 185, 3720)] == ["12 s", "3:05", "1:02:00"]


def test_a_constant_is_a_level_line_with_its_number_beside_it(qtbot: Any) -> None:
    run, plot = RunData(Path("/r"), "r"), CurvePlot(("loss", "adapt"))
    qtbot.addWidget(plot)
    for step in range(300):  # what went before is forgotten, but for rounding
        run.add_metrics("adapt", step, step * 0.5, {"loss": -15.0 if step else 0.3}, {})
    plot.set_content(build(plot.key, [run], Options(smoothing=0.9), lambda _: theme.series(0)), False)
    plot.set_x(200, 299)
    assert 0 < np.ptp(plot.content.curves[0].y[200:]) < 1e-9, "the moving average is not quite exact"
    low, high = plot.box.viewRange()[1]
    assert low < -16 and high > -14
    assert any(text.startswith("-15") for _, texts in plot.y_axis.levels(low, high, 200) for text in texts)
