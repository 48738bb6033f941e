"""Returns for every context: one plot with a line for each, one entry of the chooser; returns in success' place."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QColor

from plugins.panels.curves import CurvesPanel
from studio.events import Evaluated, MetricsLogged, StateChanged
from widgets.curves import export
from widgets.curves.axis import metric_name
from widgets.curves.content import RETURNS, SUCCESS, available, build
from widgets.curves.curve import Options
from widgets.curves.data import RunData
from widgets.curves.groups import context_of, group_of, members
from widgets.curves.overlay import key_of
from widgets.shell.app_state import AppState
from widgets.style import theme

VELOCITIES = ("velocity 10", "velocity 0.5", "velocity -1", "velocity 2")
GROUP = ("return/velocity", "adapt")


def run_of(names: tuple[str, ...], folder: str = "/runs/one", points: int = 60) -> RunData:
    made = RunData(key_of(folder), folder)
    for step in range(points):
        values = {f"return/{name}": 10.0 * i + step / 10 for i, name in enumerate(names)}
        made.add_metrics("adapt", step, step * 0.1, values | {"return": 1.0}, {})
    return made


@pytest.fixture(autouse=True, scope="module", params=["light", "dark"])  # a change restyles all that was shown
def scheme(qapp: Any, request: Any) -> Iterator[str]:
    theme.force(request.param)
    yield request.param
    theme.force(None)


def contrast(one: QColor, other: QColor) -> float:
    """WCAG's ratio."""

    def luminance(color: QColor) -> float:
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in color.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize(
    ("metric", "group", "context"),
    [
        ("return/velocity 0.5", "return/velocity", "0.5"),
        ("return/velocity -1", "return/velocity", "−1"),
        ("return/mass:torso 0.6..0.733", "return/mass:torso", "0.6 … 0.733"),
        ("return/x -0.5..1e-3", "return/x", "−0.5 … 1e−3"),
        ("return/-1", "return/", "−1"),
        ("return/forward", "return/", "forward"),
        ("return", "return", "return"),
        ("loss", "loss", "loss"),
    ],
)
def test_a_metric_belongs_to_the_plot_of_its_name(metric: str, group: str, context: str) -> None:
    assert group_of(metric) == group
    if metric.startswith("return/"):
        assert context_of(metric) == context and members(group, [metric, "loss", "return/other 1"])[0] == metric


def test_one_plot_with_a_line_for_each_context_in_the_order_of_numbers() -> None:
    run = run_of(VELOCITIES)
    assert [key for key in available([run]) if key[0].startswith("return/")] == [GROUP]
    assert metric_name(GROUP[0]) == "Return by velocity" and metric_name("return/") == "Return by context"
    content = build(GROUP, [run], Options(), lambda _: theme.series(0))
    assert [curve.kind for curve in content.curves] == ["−1", "0.5", "2", "10"]
    lightness = [curve.color.lightnessF() for curve in content.curves]
    assert len({curve.color.name() for curve in content.curves}) == 4 and lightness[0] < lightness[-1]
    assert all(contrast(c.color, theme.color("plot_background")) > 1.9 for c in content.curves), "each stands out"


def test_words_have_hues_and_several_runs_keep_theirs() -> None:
    words = build(("return/", "adapt"), [run_of(("left", "right"))], Options(), lambda _: theme.series(3))
    assert [c.color for c in words.curves] == [theme.series(0), theme.series(1)]
    runs = [run_of(VELOCITIES), run_of(VELOCITIES, "/runs/two")]
    shown = build(GROUP, runs, Options(), lambda run: theme.series(runs.index(run)))
    assert [curve.color for curve in shown.curves[3::4]] == [theme.series(0), theme.series(1)]
    assert len({curve.color.name() for curve in shown.curves}) == 8


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> CurvesPanel:
    made = CurvesPanel(app_state)
    qtbot.addWidget(made)
    made.resize(900, 420)
    made.show()
    app_state.events.emit([StateChanged(str(app_state.runs_folder / "one"), "running")])
    return made


def log(app_state: AppState, steps: int, names: tuple[str, ...] = VELOCITIES) -> None:
    for step in range(1, steps):
        values = {f"return/{name}": float(np.log(step + 10 * i + 1)) for i, name in enumerate(names)}
        app_state.events.emit([MetricsLogged("adapt", step, step * 0.5, values | {"return": 1.0 * step}, {})])


def test_the_panel_draws_what_comes_names_the_lines_and_offers_one_entry(
    qtbot: Any, panel: CurvesPanel, app_state: AppState
) -> None:
    log(app_state, 30)
    view = panel.view
    qtbot.waitUntil(lambda: GROUP in view.plots and len(view.plots[GROUP].content.curves) == 4, timeout=5000)
    plot = view.plots[GROUP]
    before = len(plot.content.curves[0].x)
    log(app_state, 60)
    qtbot.waitUntil(lambda: len(plot.content.curves[0].x) > before, timeout=5000)
    seen = plot.head.title.text() + plot.head.contexts.text()
    assert all(word in seen.replace("&nbsp;", " ") for word in ("−1", "0.5", "2", "10"))
    panel.bar.chooser.ask.emit()
    entries = [panel.bar.chooser.model.item(i).text() for i in range(panel.bar.chooser.model.rowCount())]
    assert [entry for entry in entries if "velocity" in entry] == ["Return by velocity · adapt"]
    panel.resize(420, 700)
    qtbot.waitUntil(lambda: plot.head.contexts.isVisible() or "0.5" in plot.head.title.text())
    view.set_shown(GROUP, False)
    assert GROUP not in view.plots


def test_a_title_without_room_loses_its_stage_and_not_its_end(
    qtbot: Any, panel: CurvesPanel, app_state: AppState
) -> None:
    log(app_state, 30)
    qtbot.waitUntil(lambda: GROUP in panel.view.plots, timeout=5000)
    plot = panel.view.plots[GROUP]
    for width, staged in ((600, True), (150, False)):
        plot.setFixedWidth(width)
        qtbot.waitUntil(lambda staged=staged: ("adapt" in plot.head.title.text()) == staged, timeout=5000)
        assert plot.head.title.sizeHint().width() <= width
    assert plot.head.title.toolTip() == "Return by velocity adapt"


def test_the_numbers_of_every_context_are_exported(panel: CurvesPanel) -> None:
    run = run_of(VELOCITIES, points=2)
    rows = list(csv.DictReader(export.csv_text(export.take_rows([GROUP], [run])).splitlines()))
    assert [row["metric"] for row in rows[::2]] == [f"return/velocity {v}" for v in ("-1", "0.5", "2", "10")]


def test_where_returns_are_scored_there_is_no_empty_plot_of_success(
    qtbot: Any, panel: CurvesPanel, app_state: AppState
) -> None:
    success, returns = (SUCCESS, "adapt"), (RETURNS[-1], "adapt")
    assert success in panel.view.candidates, "nothing is known yet"
    app_state.events.emit([Evaluated("adapt", "target", 0, 8, -30.0, -40.0, -20.0, -30.0, False, measure="return")])
    qtbot.waitUntil(lambda: returns in panel.view.plots)
    assert success not in panel.view.candidates
    app_state.events.emit([Evaluated("adapt", "target", 1, 8, 0.5, 0.2, 0.7, -30.0, False)])
    qtbot.waitUntil(lambda: success in panel.view.plots)


def test_a_figure_names_every_context(panel: CurvesPanel, app_state: AppState, qtbot: Any, tmp_path: Path) -> None:
    log(app_state, 20)
    qtbot.waitUntil(lambda: GROUP in panel.view.plots, timeout=5000)
    panel.view.contents()
    with export.Figure([panel.view.plots[GROUP]], 1) as figure:
        drawn = figure.svg().decode()
    assert all(word in drawn for word in ("Return by velocity", "0.5", "−1"))


def test_scored_returns_have_their_intervals_and_their_time() -> None:
    run = RunData(key_of("/runs/one"), "one")
    run.add_score("adapt", "target", 0, -90.0, -100.0, -80.0, "return")  # before the first step
    for step in range(1, 11):
        run.add_metrics("adapt", step, step * 2.0, {"return": 1.0}, {})
    run.add_score("adapt", "target", 10, -30.0, -40.0, -20.0, "return")
    (curve,) = build((RETURNS[-1], "adapt"), [run], Options(axis="time"), lambda _: theme.series(0)).curves
    assert curve.x.tolist() == [0, 20] and curve.y.tolist() == [-90, -30]
    assert curve.low is not None and curve.low.tolist() == [-100, -40]


def test_no_metric_is_joined_with_an_evaluation_whatever_its_name_is() -> None:
    run = RunData(key_of("/runs/one"), "one")
    for step in range(3):
        named = {f"{prefix}{name}": 7.0 for prefix in ("", "target_", "evaluation/") for name in ("return", "success")}
        run.add_metrics("adapt", step, step * 0.1, named, {})
        run.add_score("adapt", "target", step, -1.0, -2.0, 0.0, "return")
        run.add_score("adapt", "source", step, -3.0, -4.0, -2.0, "return")
        run.add_score("adapt", "target", step, 0.5, 0.4, 0.6)
    keys = available([run])
    drawn = {key[0]: build(key, [run], Options(), lambda _: theme.series(0)).curves for key in keys}
    assert [(c.kind, set(c.y)) for c in drawn[RETURNS[-1]]] == [("target", {-1.0}), ("source", {-3.0})]
    assert [(c.kind, set(c.y)) for c in drawn[SUCCESS]] == [("target", {0.5})]
    assert all(set(drawn[name][0].y) == {7.0} for name in ("return", "target_return", "success", "target_success"))
    rows = list(csv.DictReader(export.csv_text(export.take_rows(keys, [run])).splitlines()))
    values: dict[str, set[str]] = {}
    for row in rows:
        values.setdefault(row["metric"], set()).add(row["value"])
    assert values["target_return"] == {"7.0"} and values["evaluation/target_return"] == {"-1.0"}
