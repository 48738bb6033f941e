"""The Identification dock, by mouse: record, identify, see, use; and what it says when something does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt

from plugins.panels.identification import PANEL, IdentificationPanel
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from widgets.shell.app_state import AppState

ARM = """<mujoco><option timestep="0.005" integrator="implicitfast" gravity="0 0 0"/>
<default><joint axis="0 0 1" damping="1" armature="0.05"/></default>
<worldbody><body name="upper" pos="0 0 1"><joint name="shoulder"/>
<geom type="capsule" fromto="0 0 0 .4 0 0" size=".04" mass="2" contype="0" conaffinity="0"/>
<body name="lower" pos=".4 0 0"><joint name="elbow"/>
<geom type="capsule" fromto="0 0 0 .3 0 0" size=".03" mass="1" contype="0" conaffinity="0"/>
<site name="tip" pos=".3 0 0"/></body></body><camera name="front" pos="0 0 3"/></worldbody>
<actuator><position name="a" joint="shoulder" kp="60" kv="4"/><position name="b" joint="elbow" kp="30" kv="1.5"/>
</actuator></mujoco>"""


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path) -> Iterator[AppState]:
    (tmp_path / "arm.xml").write_text(ARM, encoding="utf-8")
    made = AppState(tmp_path)
    assert made.edit(**{"target.embodiment": str(tmp_path / "arm.xml"), "target.task": "reach"}) is None
    made.load_plugins()
    qtbot.waitUntil(lambda: made.registry_is_ready, timeout=60_000)
    yield made
    made.close()


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> Iterator[IdentificationPanel]:
    made = PANEL.factory(app_state)
    qtbot.addWidget(made)
    made.resize(380, 900)
    made.show()
    made.method.set_key("sysid")
    yield made
    made.shut_down()


def click(qtbot: Any, button: Any) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def identified(qtbot: Any, panel: IdentificationPanel) -> str:
    """Press Identify, wait for the end, return what the panel says."""
    click(qtbot, panel.start)
    qtbot.waitUntil(lambda: panel.start.isEnabled(), timeout=120_000)
    return panel.words.text()


def test_the_panel_is_registered() -> None:
    assert Registry().all("panels")["identification"] is PANEL


def test_record_identify_see_and_use(qtbot: Any, app_state: AppState, panel: IdentificationPanel) -> None:
    assert not panel.use.isVisible() and not panel.table.isVisible()
    panel.recordings.hidden["mass"].setValue(1.5)
    panel.recordings.hidden["actuator_delay"].setValue(30)
    click(qtbot, panel.start)
    assert panel.halt.isVisible() and not panel.start.isEnabled()  # it works, and the window goes on
    qtbot.waitUntil(lambda: panel.start.isEnabled(), timeout=120_000)
    assert panel.words.text().startswith("5 of 6 parameters found")
    outcome = panel.outcome
    assert outcome is not None and outcome.misfit[1] < 1.2 < outcome.misfit[0]
    mass = outcome.found["mass"].value
    assert mass == pytest.approx(1.5, rel=0.05)
    assert panel.table.values["mass"].text() == f"×{mass:.3f}"
    assert "hidden: ×1.500" in panel.table.bars["mass"].toolTip()
    assert panel.table.values["friction"].text() == "unknown"
    assert panel.table.notes["friction"].isVisible()
    assert panel.table.notes["friction"].text() == "Not identifiable: the recordings do not change with it."
    curves = panel.plots.curves[0]
    real, before, after = (curves[key].getData()[1] for key in ("real", "before", "after"))
    np.testing.assert_allclose(after, real, atol=0.01)
    assert np.abs(before - real).max() > 0.02
    assert panel.plots.recording.count() == 2
    panel.plots.recording.setCurrentIndex(1)
    assert np.abs(curves["real"].getData()[1] - real).max() > 0.01  # the other recording's
    assert not panel.plots.plots[2].isVisible()  # the arm has two joints
    shown: list[dict[str, float]] = []
    app_state.preview_changed.connect(shown.append)
    click(qtbot, panel.use)
    terms = {term.field: term for term in app_state.experiment.target.randomization}
    assert set(terms) == {"mass", "damping", "armature", "actuator_gain", "actuator_delay"}
    assert terms["mass"].low < mass < terms["mass"].high
    assert shown[-1]["mass"] == mass and "friction" not in shown[-1]


def test_a_file_of_recordings(qtbot: Any, app_state: AppState, panel: IdentificationPanel, tmp_path: Path) -> None:
    from studio.sysid import record, write_recordings

    domain: Domain = app_state.experiment.target
    write_recordings(record(resolve(domain, app_state.registry), {"mass": 0.7}, 2, 5), tmp_path / "robot.h5")
    click(qtbot, panel.recordings.source.button("file"))
    assert panel.recordings.file_box.isVisible() and not panel.recordings.hidden_box.isVisible()
    assert "Choose a recordings file" in identified(qtbot, panel)
    panel.recordings.file.setText(str(tmp_path / "none.h5"))
    assert "does not exist" in identified(qtbot, panel)
    assert panel.words.property("role") == "problem"
    panel.recordings.file.setText(str(tmp_path / "robot.h5"))
    assert "parameters found" in identified(qtbot, panel)
    assert panel.outcome is not None and panel.outcome.truth is None  # nobody knows it
    assert panel.outcome.found["mass"].value == pytest.approx(0.7, rel=0.05)
    assert "hidden" not in panel.table.bars["mass"].toolTip()
    app_state.edit(**{"target.embodiment": "ur5_6dof"})
    assert not panel.use.isEnabled()  # another robot's values


def test_a_stand_in_is_never_calibrated_but_its_simulation_is(
    qtbot: Any, app_state: AppState, panel: IdentificationPanel, tmp_path: Path
) -> None:
    (tmp_path / "robot.yaml").write_text("mass: 1.5\n", encoding="utf-8")
    varied = [{"field": "mass", "low": 0.8, "high": 1.2}]
    assert (
        app_state.edit(**{"target.hidden_dynamics": str(tmp_path / "robot.yaml"), "target.randomization": varied})
        is None
    )
    robot = app_state.experiment.target
    click(qtbot, panel.recordings.source.button("stand_in"))
    assert "parameters found" in identified(qtbot, panel)
    shown: list[dict[str, float]] = []
    app_state.preview_changed.connect(shown.append)
    click(qtbot, panel.use)
    assert "the source does not simulate" in panel.words.text() and panel.words.property("role") == "problem"
    assert app_state.edit(**{"source.embodiment": robot.embodiment, "source.task": robot.task}) is None
    click(qtbot, panel.use)
    terms = {term.field: term for term in app_state.experiment.source.randomization}
    assert terms["mass"].low < 1.5 < terms["mass"].high
    assert app_state.experiment.target == robot and not shown  # what the viewport shows of the robot is the robot's
    assert panel.words.text().startswith("The source, which simulates this robot, is now randomized")


def test_a_stand_in_is_asked_for_where_there_is_none(
    qtbot: Any, app_state: AppState, panel: IdentificationPanel
) -> None:
    click(qtbot, panel.recordings.source.button("stand_in"))
    assert "no stand-in robot" in identified(qtbot, panel)


def test_shuffle_hides_other_values(qtbot: Any, panel: IdentificationPanel) -> None:
    before = panel.recordings.hidden_values
    click(qtbot, panel.recordings.dice)
    after = panel.recordings.hidden_values
    assert sum(before[name] != after[name] for name in before) >= 5
    assert 0 <= after["actuator_delay"] <= 0.05


def test_stop_ends_it_and_closing_does_not_hang(qtbot: Any, app_state: AppState, panel: IdentificationPanel) -> None:
    panel.method.set_key("lstm")
    click(qtbot, panel.start)
    qtbot.waitUntil(lambda: panel.stage == "identify", timeout=60_000)
    click(qtbot, panel.halt)
    qtbot.waitUntil(lambda: panel.start.isEnabled(), timeout=60_000)
    assert panel.words.text() == "Stopped."
    assert panel.outcome is None
    click(qtbot, panel.start)
    panel.shut_down()
    app_state.close()  # waits for the job, which ends at its next step
