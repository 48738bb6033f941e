"""What is drawn again when numbers come, and what is taken from the cache."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject

from plugins.panels.curves import CurvesPanel
from studio.events import DeviceSample, MetricsLogged, StateChanged
from tests.widgets.paints import Paints, settle
from widgets.shell.app_state import AppState

LOSS = ("loss", "adapt")


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
    qtbot.waitUntil(lambda: LOSS in made.view.plots and made.view.is_drawn, timeout=5000)
    settle()
    return made


def loss(step: int, value: float = 1.0) -> MetricsLogged:
    return MetricsLogged("adapt", step, step * 0.05, {"loss": value + 0.1 * math.sin(step)}, {"loss": ""})


def test_a_plot_without_new_content_is_painted_from_the_cache(panel: CurvesPanel) -> None:
    plot = panel.view.plots[LOSS]
    before = plot.layer.paints
    axis = plot.x_axis.picture
    assert axis is not None
    plot.view.viewport().repaint()
    assert plot.layer.paints == before and plot.x_axis.picture is axis


def test_the_cursor_moves_without_drawing_the_curves(qtbot: Any, panel: CurvesPanel) -> None:
    plot = panel.view.plots[LOSS]
    before, paints = plot.layer.paints, Paints(plot.view.viewport())
    for x in (50.0, 120.0, 200.0):
        plot.show_cursor(x)
        settle()
    assert plot.crosshair.isVisible() and paints.count >= 3
    assert plot.layer.paints == before


def test_new_numbers_draw_a_plot_once(panel: CurvesPanel, app_state: AppState) -> None:
    plot = panel.view.plots[LOSS]
    for step in range(300, 305):
        before = plot.layer.paints
        app_state.events.emit([loss(step)])
        panel.view.redraw()
        settle()
        assert plot.layer.paints == before + 1  # however many labels changed with it


def test_an_axis_that_was_fitted_early_still_gets_its_unit(panel: CurvesPanel) -> None:
    plot = panel.view.plots["memory", ""]
    plot.x_axis.set_time(False)
    settle()
    before = plot.x_axis.picture
    plot.set_content(plot.content, True)
    settle()
    assert plot.x_axis.time and plot.x_axis.picture is not None and plot.x_axis.picture is not before


def test_numbers_do_not_lay_the_plot_out_again(panel: CurvesPanel, app_state: AppState) -> None:
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
    view.redraw()
    settle()
    assert plot.head.readout.text() != before and layouts.seen == 0
