"""The Features panel by mouse: a run's checkpoints, the slider, colors, a run that goes on, and one that has none."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt

from plugins.panels.features import PANEL, FeaturesPanel
from studio.analysis.feature_projection import CheckpointFeatures, FeatureProjection
from studio.events import CheckpointSaved
from tests.studio.analysis.test_feature_projection import write_run
from widgets.features.accuracy_plot import running_mean
from widgets.shell.app_state import AppState


@pytest.fixture
def panel(qtbot: Any, tmp_path: Path) -> Any:
    write_run(tmp_path / "runs")  # it makes the folder of the one run
    shutil.move(tmp_path / "runs", tmp_path / "kept")
    (tmp_path / "runs").mkdir()
    shutil.move(tmp_path / "kept", tmp_path / "runs" / "one")
    (tmp_path / "runs" / "one" / "run.json").write_text('{"state": "finished", "created": 1}')
    app_state = AppState(tmp_path / "runs")
    app_state.load_plugins()
    made = PANEL.factory(app_state)
    qtbot.addWidget(made)
    made.resize(700, 260)
    made.show()
    qtbot.waitUntil(lambda: made._found is not None, timeout=60_000)
    yield made
    app_state.close()


def test_slider_shows_checkpoints_and_follows_the_newest(qtbot: Any, panel: FeaturesPanel) -> None:
    assert panel.slider.maximum() == 2 and panel.step.text() == "step 20"
    assert "A linear probe names the domain of" in panel.words.text() and "0.5 would be guessing" in panel.words.text()
    view = panel.scatter.view.getPlotItem().getViewBox().viewRange()
    panel.slider.setValue(1)
    assert panel.step.text() == "step 10" and panel.scatter.view.getPlotItem().getViewBox().viewRange() == view
    panel.slider.setValue(0)
    assert "Step 0 is the source policy" in panel.words.text()
    panel.slider.setValue(2)

    checkpoints = panel.run.currentData() / "checkpoints"
    shutil.copytree(checkpoints / "adapt-00000010", checkpoints / "adapt-00000030")
    panel._app_state.events.emit([CheckpointSaved("adapt", 30, "")])
    qtbot.waitUntil(lambda: panel.step.text() == "step 30", timeout=20_000)
    panel.slider.setValue(1)
    shutil.copytree(checkpoints / "adapt-00000010", checkpoints / "adapt-00000040")
    panel._look()
    qtbot.waitUntil(lambda: panel.slider.maximum() == 4, timeout=20_000)
    assert panel.step.text() == "step 10"  # what a person looks at stays


def test_click_on_accuracies_chooses_a_checkpoint(qtbot: Any, panel: FeaturesPanel) -> None:
    plot = panel.accuracy.view
    box = plot.getPlotItem().getViewBox()
    place = plot.mapFromScene(box.mapViewToScene(box.viewRect().center()).toPoint())
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: panel.step.text() == "step 10")


def test_colors_are_offered_where_they_differ(qtbot: Any, panel: FeaturesPanel) -> None:
    assert not panel.color.isVisible()  # one robot, no choices
    domain, points = np.repeat([0, 1, 2], 10), np.zeros((30, 2))
    points[:, 0] = domain
    found = FeatureProjection(
        ("target", "source", "sources.1"),
        ("ur5_6dof", "franka_7dof", "franka_7dof"),
        domain,
        np.arange(30) % 10,
        np.array([0.6, 0.2]),
        (CheckpointFeatures(5, points, 0.4, 0.3, 0.5),),
        (np.arange(1, 6), np.full(5, 0.35)),
    )
    panel._take(found)
    assert panel.color.isVisible() and "classifier 0.35" in panel.words.text()
    assert "source 2: Franka arm" in panel.scatter.legend.text()
    qtbot.mouseClick(panel.color.button("class"), Qt.MouseButton.LeftButton)
    assert "● target" in panel.scatter.legend.text() and "■</span> 9" in panel.scatter.legend.text()
    panel._take(replace(found, classes=None))
    assert panel.color.key == "domain" and not panel.color.button("class").isVisible()


def test_run_without_checkpoint_says_so(qtbot: Any, panel: FeaturesPanel, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "runs" / "one" / "checkpoints")
    panel._look()
    qtbot.waitUntil(lambda: not panel.stack.has_content, timeout=20_000)
    assert "no checkpoint yet" in panel.stack.sentence.text()


def test_running_mean_is_shorter_at_the_ends() -> None:
    assert running_mean(np.array([0.0, 1.0, 2.0, 3.0]), 3).tolist() == [0.5, 1.0, 2.0, 2.5]
