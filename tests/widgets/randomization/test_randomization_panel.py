"""The randomization dock's further parts: details, several terms of a quantity, problems, samples, effects."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from plugins.panels.randomization import PANEL, RandomizationPanel
from studio.contracts import Ghost, Problem
from studio.events import EpisodesEnded, Evaluated, Events, MetricsLogged, StateChanged
from studio.experiment import Domain, Experiment
from studio.experiment.randomization import PRESETS
from studio.registry import Registry
from studio.store.log_writer import RunLog
from studio.store.runs import new_folder, write_status
from widgets.randomization.choice import Choice
from widgets.randomization.effects import EffectView
from widgets.randomization.sampler import COUNT, Request, Sampler, Samples
from widgets.shell.app_state import AppState

TORSO = {"field": "mass", "low": 0.8, "high": 2.0, "distribution": "normal", "std": 0.3, "parts": "torso"}
FOOT = {"field": "mass", "low": 0.5, "high": 1.5, "resample": "interval", "interval": 0.5, "parts": "foot"}


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> Iterator[RandomizationPanel]:
    made = PANEL.factory(app_state)
    qtbot.addWidget(made)
    made.resize(340, 900)
    made.show()
    yield made
    made.shut_down()


def terms(app_state: AppState) -> list[dict[str, Any]]:
    return [term.model_dump() for term in app_state.experiment.target.randomization]


def test_everything_of_a_term_is_edited_in_its_row(panel: RandomizationPanel, app_state: AppState, qtbot: Any) -> None:
    row = panel.rows["mass"]
    QTest.mouseClick(row.check, Qt.MouseButton.LeftButton, pos=QPoint(8, row.check.height() // 2))
    QTest.mouseClick(row.more, Qt.MouseButton.LeftButton)
    details = row.details
    assert details.isVisible() and not details.std.isVisible() and not details.interval.isVisible()
    for combo, key in ((details.shape, "normal"), (details.resample, "interval")):
        combo.setCurrentIndex(combo.findData(key))
        combo.activated.emit(combo.currentIndex())
    assert details.std.isVisible() and details.interval.isVisible()
    details.std.setValue(0.1)
    details.interval.setValue(0.5)
    details.share.setValue(75)
    details.observed.click()
    QTest.keyClicks(details.parts, "torso")
    QTest.keyClick(details.parts, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(terms(app_state)) == 1, timeout=3_000)
    qtbot.waitUntil(lambda: terms(app_state)[0]["parts"] == "torso", timeout=3_000)
    assert terms(app_state) == [
        {
            "field": "mass",
            "low": 0.8,
            "high": 1.2,
            "distribution": "normal",
            "std": 0.1,
            "probability": 0.75,
            "resample": "interval",
            "interval": 0.5,
            "parts": "torso",
            "observed": True,
        }
    ]
    assert row.slider.density(1.1) == pytest.approx(math.exp(-0.5)), "the density follows"
    QTest.mouseClick(row.more, Qt.MouseButton.LeftButton)
    assert not details.isVisible() and row.summary.isVisible()
    assert all(word in row.summary.text() for word in ("torso", "normal", "0.1", "every 0.5 s", "75"))


def test_several_terms_of_a_quantity_have_a_row_each(
    panel: RandomizationPanel, app_state: AppState, qtbot: Any
) -> None:
    assert app_state.edit(**{"target.randomization": [TORSO, FOOT]}) is None
    assert {"mass", "mass#2"} <= panel.rows.keys()
    assert panel.rows["mass"].choice() == Choice(True, 0.8, 2.0, "normal", 1.0, 0.3, parts="torso")
    assert panel.rows["mass#2"].choice().interval == 0.5
    before = terms(app_state)
    panel.rows["friction"].check.setChecked(True)
    qtbot.waitUntil(lambda: len(terms(app_state)) == 3, timeout=3_000)
    assert terms(app_state)[1:] == before, "what was there stays as it was"
    QTest.mouseClick(panel.rows["mass#2"].more, Qt.MouseButton.LeftButton)
    QTest.qWait(50)  # for the layout
    QTest.mouseClick(panel.rows["mass#2"].details.removal, Qt.MouseButton.LeftButton)
    assert [term["parts"] for term in terms(app_state)] == ["", "torso"] and "mass#2" not in panel.rows
    QTest.mouseClick(panel.rows["mass"].more, Qt.MouseButton.LeftButton)
    QTest.qWait(50)
    QTest.mouseClick(panel.rows["mass"].details.another, Qt.MouseButton.LeftButton)
    assert len(terms(app_state)) == 3 and panel.rows["mass#2"].details.isVisible()
    assert app_state.edit(**{"target.randomization": []}) is None
    assert "mass#2" not in panel.rows and not panel.rows["mass"].check.isChecked()


def test_values_to_look_at_go_by_key(panel: RandomizationPanel, app_state: AppState) -> None:
    assert app_state.edit(**{"target.randomization": [TORSO, FOOT]}) is None
    seen: list[dict[str, Any]] = []
    app_state.preview_changed.connect(seen.append)
    panel.rows["mass#2"].slider.value_changed.emit(0.7)
    assert seen[-1]["mass:foot"] == 0.7 and seen[-1]["mass:torso"] == 1.0 and seen[-1]["mass"] == 1.0
    app_state.edit(**{"target.randomization": [{"field": "color", "low": 0.5, "high": 1.5}]})
    panel.sample.click()
    assert len(set(seen[-1]["color"])) == 3 and all(0.5 <= value <= 1.5 for value in seen[-1]["color"])
    assert "…" in panel.rows["color"].value.text()


def test_a_problem_marks_its_very_field(panel: RandomizationPanel, app_state: AppState) -> None:
    app_state.edit(**{"target.randomization": [{"field": "friction", "low": 0.5, "high": 1.5}, TORSO]})
    said = Problem("target.randomization.1.parts", "mass: nothing is named 'torso'.", "The model has: base.")
    app_state.problems_changed.emit([said, Problem("source.randomization.0.low", "Not here.", "")])
    row = panel.rows["mass"]
    assert "nothing is named" in row.problem.text() and row.problem.isVisible()
    assert row.details.parts.property("problem") and not row.low.property("problem")
    assert not panel.rows["friction"].problem.isVisible()
    assert panel.show_field("target.randomization.1.parts")
    assert row.details.isVisible() and panel.focusWidget() is row.details.parts
    app_state.problems_changed.emit([])
    assert not row.problem.isVisible() and not row.details.parts.property("problem")


def test_a_reversed_or_negative_range_is_told_where_it_is_typed(
    panel: RandomizationPanel, app_state: AppState, qtbot: Any
) -> None:
    """From a file or the command line; the fields of a row cannot be set so."""
    error = app_state.edit(**{"target.randomization": [{"field": "mass", "low": 2.0, "high": 1.0}]})
    assert error is not None and error.field == "target.randomization.0.high" and "reversed" in error.message
    row = panel.rows["damping"]
    row.check.setChecked(True)
    row.low.lineEdit().selectAll()
    QTest.keyClicks(row.low.lineEdit(), "-1")
    QTest.keyClick(row.low.lineEdit(), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(terms(app_state)), timeout=3_000)
    assert terms(app_state)[0]["low"] >= 0


@pytest.mark.parametrize("key", PRESETS)
def test_a_preset_is_one_click(panel: RandomizationPanel, app_state: AppState, key: str) -> None:
    QTest.mouseClick(panel.presets[key], Qt.MouseButton.LeftButton)
    wanted = Experiment.from_dict({"target": {"randomization": key}}).target.randomization
    assert sorted(app_state.experiment.target.randomization, key=lambda t: t.key) == sorted(wanted, key=lambda t: t.key)
    assert [name for name, button in panel.presets.items() if button.isChecked()] == [key]


def test_the_curriculum_is_edited_and_followed(panel: RandomizationPanel, app_state: AppState, qtbot: Any) -> None:
    assert panel.show_field("target.curriculum.enabled")
    panel.rows_.form.changed.emit("enabled", True)
    assert app_state.experiment.target.curriculum.enabled
    panel.rows_.form.changed.emit("widen_at", 0.3)
    assert app_state.experiment.target.curriculum.widen_at == 0.8, "below narrow_at: refused with a message"
    assert "narrowing threshold is above" in panel.rows_.curriculum_problem.text().lower()
    panel.presets["standard"].click()
    values = {"range/open": 0.5, "range/mass/low": 0.9, "range/mass/high": 1.1}
    app_state.events.emit([MetricsLogged("adapt", 1, 1.0, values, {})])
    assert panel.rows["mass"].slider.reached == (0.9, 1.1)
    assert panel.rows["friction"].slider.reached is None


# -- samples -----------------------------------------------------------------------------------------------------------


def wait_for_samples(qtbot: Any, sampler: Sampler, request: Request) -> Samples:
    with qtbot.waitSignal(sampler.ready, timeout=30_000):
        sampler.ask(request)
    found = sampler.take()
    assert found is not None
    return found


def test_samples_differ_in_what_is_randomized_and_in_nothing_else(qtbot: Any) -> None:
    sampler = Sampler(Registry())
    try:
        plain = Domain(embodiment="ur5_6dof", task="reach", image_size=32)
        same = wait_for_samples(qtbot, sampler, Request(plain, 0, poses=True))
        assert same.problem == "" and same.images is not None and same.poses is not None
        assert same.images.shape == (COUNT, 32, 32, 3)
        assert np.all(same.images == same.images[0]) and np.all(same.poses == same.poses[0])
        assert "base" in same.names["mass"] and "elbow" in same.names["damping"]
        varied = [
            {"field": "brightness", "low": 0.5, "high": 1.5},
            {"field": "damping", "parts": "elbow", "low": 5, "high": 50},
        ]
        domain = Domain(**plain.model_dump() | {"randomization": varied})
        other = wait_for_samples(qtbot, sampler, Request(domain, 0, poses=True))
        assert other.images is not None and other.poses is not None
        means = other.images.mean((1, 2, 3))
        assert len(set(means)) == COUNT
        assert np.array_equal(np.argsort(means), np.argsort(other.values["brightness"]))
        assert len(np.unique(other.poses[:, 2])) == COUNT
        wrong = wait_for_samples(qtbot, sampler, Request(domain.model_copy(update={"cameras": ["nowhere"]}), 0))
        assert "no camera 'nowhere'" in wrong.problem and wrong.images is None
    finally:
        sampler.end()
    assert not sampler.isRunning()


def test_samples_are_shown_in_the_panel_and_the_viewport(
    panel: RandomizationPanel, app_state: AppState, qtbot: Any
) -> None:
    app_state.edit(**{"target.image_size": 32, "target.randomization": [{"field": "mass", "low": 0.8, "high": 1.2}]})
    ghosts: list[list[Ghost]] = []
    app_state.ghosts_changed.connect(lambda robots, domain: ghosts.append(robots))
    QTest.mouseClick(panel.samples.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(panel.samples.strip.images) == COUNT, timeout=30_000)
    names = {name for ghost in ghosts[-1] for name in ghost.label.partition(":")[0].split(" look")[0].split(", ")}
    assert names == {"all 6 samples"} or names == {str(i + 1) for i in range(COUNT)}
    assert all("mass" in ghost.label for ghost in ghosts[-1])
    first = panel.samples.seed
    QTest.mouseClick(panel.samples.again, Qt.MouseButton.LeftButton)
    assert panel.samples.seed != first
    assert panel.release.isEnabled()
    QTest.mouseClick(panel.release, Qt.MouseButton.LeftButton)
    assert ghosts[-1] == [] and not panel.samples.isVisible() and not panel.release.isEnabled()


# -- effects -----------------------------------------------------------------------------------------------------------


def a_run(parent: Path, name: str, slope: float) -> Path:
    """A finished run whose returns grow with the mass by ``slope``."""
    plan = Experiment(name=name)
    folder = new_folder(parent, plan)
    (folder / "experiment.yaml").write_text(plan.to_yaml())
    write_status(folder, {"state": "finished", "created": time.time(), "summary": {"measure": "return"}})
    events = Events()
    log = RunLog(folder / "log.h5", events, plan)
    events.publish(episodes(slope))
    log.close()
    return folder


def episodes(slope: float, success: bool = False) -> EpisodesEnded:
    mass, color = np.linspace(0.5, 1.5, 80), np.random.default_rng(0).uniform(size=(80, 3))
    wins = mass > 1 if success else np.zeros(80, bool)
    drawn = {"mass:torso": mass, "color": color}
    return EpisodesEnded("target", 5, np.arange(80), slope * mass, np.ones(80, int), wins, drawn)


def test_effects_of_chosen_runs(qtbot: Any, app_state: AppState, tmp_path: Path) -> None:
    runs = [a_run(tmp_path, "up", 2.0), a_run(tmp_path, "down", -2.0)]
    view = EffectView(app_state)
    qtbot.addWidget(view)
    view.resize(340, 700)
    view.show()
    assert not view.plots and "No episodes" in view.caption.text()
    app_state.runs_selected.emit(runs)
    qtbot.waitUntil(lambda: len(view.plots) == 4, timeout=10_000)
    assert list(view.plots) == ["mass:torso", "color_b", "color_g", "color_r"]
    assert "+1.00" in view.plots["mass:torso"].title.text() and "−1.00" in view.plots["mass:torso"].title.text()
    assert "160 episodes" in view.caption.text() and view.caption.text().startswith("Return")
    view.menu.aboutToShow.emit()
    actions = {action.text(): action for action in view.menu.actions() if action.text()}
    assert [action.isChecked() for action in actions.values()] == [False, True, True]
    next(action for words, action in actions.items() if words.startswith("down")).toggle()
    qtbot.waitUntil(lambda: "−1.00" not in view.plots["mass:torso"].title.text(), timeout=10_000)
    view.set_domain("source")
    assert not view.plots
    view.set_domain("target")
    broken = tmp_path / "20260101-000000-broken"
    broken.mkdir()
    (broken / "log.h5").write_text("no log")
    app_state.runs_selected.emit([broken])
    qtbot.waitUntil(lambda: "cannot be read" in view.caption.text(), timeout=10_000)


def test_effects_follow_the_run_that_is_going_on(qtbot: Any, app_state: AppState) -> None:
    view = EffectView(app_state)
    qtbot.addWidget(view)
    view.show()
    score = Evaluated("evaluate", "target", 5, 80, 0.5, 0.4, 0.6, 0.5, True, 0, "success")
    app_state.events.emit([score, episodes(1.0, success=True)])
    qtbot.waitUntil(lambda: "mass:torso" in view.plots, timeout=5_000)
    assert view.caption.text().startswith("Success")
    assert "+0.87" in view.plots["mass:torso"].title.text()
    other = replace(episodes(-1.0, success=True), returns=np.zeros(80), successes=np.arange(80) < 20)
    app_state.events.emit([StateChanged("/runs/1-2-next", "preparing"), score, other])
    app_state.runs_selected.emit([Path("/runs/1-2-next")])  # as the list of runs does when one begins
    qtbot.waitUntil(lambda: "−" in view.plots["mass:torso"].title.text(), timeout=5_000)
    assert view.runs.text().startswith("next")
    for _ in range(20):
        app_state.events.emit([replace(episodes(1.0, success=True), domain="train")])
    QTest.mouseClick(view.kind.button("train"), Qt.MouseButton.LeftButton)
    assert "latest 1000 episodes" in view.caption.text()
