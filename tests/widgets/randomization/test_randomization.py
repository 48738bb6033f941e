"""The randomization dock: ranges, presets, problems at their rows, and the preview."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QPushButton
from scipy import stats

from plugins.panels.randomization import PANEL, RandomizationPanel
from studio.experiment import RandomizationField
from widgets.randomization.choice import Choice
from widgets.randomization.quantities import readable
from widgets.randomization.quantity import Quantity
from widgets.randomization.range_row import RangeRow
from widgets.randomization.range_slider import GROOVE_Y, RangeSlider
from widgets.shell.app_state import AppState


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> Iterator[RandomizationPanel]:
    made = PANEL.factory(app_state)
    qtbot.addWidget(made)
    made.resize(340, 900)
    made.show()
    yield made
    made.shut_down()


def chosen(panel: RandomizationPanel) -> list[str]:
    """The presets that are marked."""
    return [key for key, button in panel.presets.items() if button.isChecked()]


def mouse(qtbot: Any, slider: RangeSlider, start: float, end: float, y: float = GROOVE_Y) -> None:
    """Drag with the left button from one value to another."""
    from PySide6.QtTest import QTest

    places = [QPointF(slider.x_of(value), y).toPoint() for value in (start, end)]
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=places[0])
    QTest.mouseMove(slider, places[1])
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=places[1])


def test_every_field_of_the_experiment_has_a_row_with_the_engines_nominal(panel: RandomizationPanel) -> None:
    from studio.sim.randomization.fields import NOMINAL

    assert set(panel.rows) == set(get_args(RandomizationField)) == set(NOMINAL)
    for field, row in panel.rows.items():
        assert row.quantity.nominal == pytest.approx(NOMINAL[field], nan_ok=True)
        assert row.quantity.minimum <= row.quantity.low <= row.quantity.high <= row.quantity.maximum


def test_the_document_preset_is_the_documents(panel: RandomizationPanel, app_state: AppState) -> None:
    panel.presets["standard"].click()
    terms = {term.field: term for term in app_state.experiment.target.randomization}
    expected = {
        "friction": (0.5, 1.5, 1.0),
        "mass": (0.8, 1.2, 1.0),
        "actuator_delay": (0.0, 0.05, 1.0),
        "camera_position": (-0.02, 0.02, 1.0),
        "camera_fov": (55, 65, 1.0),
        "brightness": (0.7, 1.3, 0.5),
        "contrast": (0.7, 1.3, 0.5),
        "saturation": (0.7, 1.3, 0.5),
        "blur": (0.1, 2.0, 0.5),
        "sharpness": (2.0, 2.0, 0.5),
    }
    assert {f: (t.low, t.high, t.probability) for f, t in terms.items()} == {
        f: pytest.approx(values) for f, values in expected.items()
    }
    assert chosen(panel) == ["standard"]
    panel.presets["nominal"].click()
    assert app_state.experiment.target.randomization == []
    assert chosen(panel) == ["nominal"]


def test_a_drag_changes_the_experiment_once_it_rests(
    panel: RandomizationPanel, app_state: AppState, qtbot: Any
) -> None:
    row = panel.rows["friction"]
    row.check.setChecked(True)
    mouse(qtbot, row.slider, 1.5, 2.5)
    qtbot.waitUntil(lambda: bool(app_state.experiment.target.randomization), timeout=3_000)
    (term,) = app_state.experiment.target.randomization
    assert (term.field, term.low) == ("friction", 0.5)
    assert term.high == pytest.approx(2.5, abs=0.1)
    assert row.high.value() == pytest.approx(term.high)
    assert chosen(panel) == []
    assert app_state.experiment.source.randomization == []


def test_the_choice_of_domain_decides_where_edits_go(
    panel: RandomizationPanel, app_state: AppState, qtbot: Any
) -> None:
    panel.domain.set_key("source")
    panel.domain.chosen.emit("source")
    panel.rows["mass"].check.setChecked(True)
    qtbot.waitUntil(lambda: bool(app_state.experiment.source.randomization), timeout=3_000)
    assert app_state.experiment.target.randomization == []
    panel.domain.set_key("target")
    panel.domain.chosen.emit("target")
    assert not panel.rows["mass"].check.isChecked()


def test_edits_from_elsewhere_are_shown(panel: RandomizationPanel, app_state: AppState) -> None:
    term = {"field": "damping", "low": 0.05, "high": 7.0, "distribution": "log_uniform", "probability": 0.25}
    assert app_state.edit(**{"target.randomization": [term]}) is None
    row = panel.rows["damping"]
    assert row.choice() == Choice(True, 0.05, 7.0, "log_uniform", 0.25)
    assert (row.slider.minimum, row.slider.maximum) == (0.05, 7.0), "a range beyond the scale widens the scale"
    assert chosen(panel) == []


def test_a_problem_is_said_at_its_row(
    panel: RandomizationPanel, app_state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Choice(True, -1.0, 1.5)
    row = panel.rows["mass"]
    panel.rows["friction"].check.setChecked(True)
    monkeypatch.setattr(row, "choice", lambda: bad)
    panel.rows_.changed.emit()
    assert "above 0" in row.problem.text() and not row.problem.isHidden()
    assert panel.rows["friction"].problem.isHidden()
    assert app_state.experiment.target.randomization == []


def test_moving_the_pointer_is_previewed_at_once(panel: RandomizationPanel, app_state: AppState, qtbot: Any) -> None:
    seen: list[dict[str, float]] = []
    app_state.preview_changed.connect(seen.append)
    slider = panel.rows["brightness"].slider
    mouse(qtbot, slider, 1.0, 0.4, GROOVE_Y + 7)
    assert seen[-1]["brightness"] == pytest.approx(0.4, abs=0.05)
    assert math.isnan(seen[-1]["camera_fov"]), "what was not moved stays nominal"
    assert seen[-1]["mass"] == 1.0
    assert app_state.experiment.target.randomization == [], "looking is not choosing"
    panel.nominal.click()
    assert seen[-1]["brightness"] == 1.0
    panel.release.click()
    assert seen[-1] == {}


def test_a_preview_that_another_panel_began_is_shown_and_can_be_ended_here(
    panel: RandomizationPanel, app_state: AppState
) -> None:
    assert not panel.release.isEnabled()
    app_state.preview_changed.emit({"mass": 1.7, "friction": 0.6})
    assert panel.rows["mass"].preview_value == 1.7 and panel.rows["friction"].slider.value == 0.6
    assert panel.release.isEnabled()
    panel.release.click()
    assert panel.rows["mass"].preview_value == 1.0 and not panel.release.isEnabled()


def test_a_sample_lies_in_the_enabled_ranges(panel: RandomizationPanel, app_state: AppState) -> None:
    panel.presets["standard"].click()
    seen: list[dict[str, float]] = []
    app_state.preview_changed.connect(seen.append)
    for _ in range(40):
        panel.sample.click()
    assert len({values["friction"] for values in seen}) > 30
    assert all(0.5 <= values["friction"] <= 1.5 for values in seen)
    assert all(values["damping"] == 1.0 for values in seen), "a row that is off stays nominal"
    applied = sum(values["sharpness"] == 2.0 for values in seen)
    assert 5 < applied < 35, "half of the samples sharpen"
    assert {values["sharpness"] for values in seen} == {1.0, 2.0}


@pytest.mark.parametrize("shape", ["uniform", "log_uniform", "normal"])
def test_the_density_over_the_slider_is_the_distributions(qtbot: Any, shape: Any) -> None:
    slider = RangeSlider(0, 10, 1, 0.01)
    qtbot.addWidget(slider)
    slider.set_range(0.5, 4.0)
    slider.set_distribution(shape, 0.7 if shape == "normal" else 0.0)
    middle = 2.25
    known = {
        "uniform": stats.uniform(0.5, 3.5),
        "log_uniform": stats.loguniform(0.5, 4.0),
        "normal": stats.truncnorm((0.5 - middle) / 0.7, (4 - middle) / 0.7, middle, 0.7),
    }[shape]
    values = [0.5, 1.0, 2.0, 2.25, 3.0, 4.0]
    drawn = np.array([slider.density(v) for v in values])
    np.testing.assert_allclose(drawn / drawn.sum(), known.pdf(values) / known.pdf(values).sum())
    assert max(slider.density(v) for v in np.linspace(0.5, 4.0, 351)) == pytest.approx(1.0)


def test_one_end_pushes_the_other(qtbot: Any) -> None:
    row = RangeRow(Quantity("mass", "Mass", "", "×", 0.2, 3, 0.8, 1.2))
    qtbot.addWidget(row)
    row.set_choice(Choice(True, 0.8, 1.2))
    row.low.setValue(2.0)
    assert (row.low.value(), row.high.value()) == (2.0, 2.0)
    row.high.setValue(0.5)
    assert (row.low.value(), row.high.value()) == (0.5, 0.5)
    row.preset.click()
    assert (row.low.value(), row.high.value()) == (0.8, 1.2)


def test_log_is_off_where_the_range_reaches_zero(qtbot: Any) -> None:
    row = RangeRow(Quantity("blur", "Blur", "", "px", 0, 3, 0.1, 2, nominal=0, shown=0))
    qtbot.addWidget(row)
    row.set_choice(Choice(True, 0.1, 2, "log_uniform"))
    row.low.setValue(0)
    assert row.choice().distribution == "uniform"
    shapes = row.details.shape
    assert not shapes.model().item(shapes.findData("log_uniform")).isEnabled()


def test_the_slider_is_worked_by_keys(qtbot: Any) -> None:
    slider = RangeSlider(0, 2, 1, 0.01)
    qtbot.addWidget(slider)
    slider.set_range(0.5, 1.5)
    slider.show()
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    qtbot.keyClick(slider, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(slider, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert (slider.value, slider.low, slider.high) == pytest.approx((1.01, 0.49, 1.51))


def test_numbers_are_painted_in_the_studios_style(qtbot: Any, qapp: Any) -> None:
    """Under the stylesheet a spin box without buttons loses its text: the field must be wide enough for it."""
    from widgets.style import theme

    theme.apply(qapp)
    row = RangeRow(Quantity("mass", "Mass", "", "×", 0.2, 3, 0.8, 1.2))
    qtbot.addWidget(row)
    row.resize(320, 60)
    row.show()
    qtbot.waitExposed(row)
    for spin in (row.low, row.high):
        assert spin.lineEdit().width() >= spin.fontMetrics().horizontalAdvance(spin.text())


def test_a_field_with_a_problem_gets_the_focus(panel: RandomizationPanel, app_state: AppState) -> None:
    panel.presets["standard"].click()
    assert panel.show_field("target.randomization.1.low")
    assert panel.focusWidget() is panel.rows["mass"].low
    assert not panel.show_field("budget.iterations")


def test_every_button_says_something_else(panel: RandomizationPanel) -> None:
    texts = [button.text().replace("&", "") for button in panel.findChildren(QPushButton) if button.isVisibleTo(panel)]
    assert len(texts) == len(set(texts)) and {"Off", "Standard", "Nominal"} <= set(texts)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("camera_fov", "Field of view"),
        ("mass:torso,foot", "Mass, torso, foot"),
        ("camera_position_x", "Camera position, x"),
        ("context:goal_x", "Goal x"),
        ("sensor_noise", "Sensor noise"),
    ],
)
def test_readable_names_a_parameter_as_its_row_does(name: str, words: str) -> None:
    assert readable(name) == words
