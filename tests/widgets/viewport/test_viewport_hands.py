"""The viewport in a person's hands: a real player, real keys and mouse. One row of MuJoCo's own viewers each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget

from studio.viewer.episode_playback import Scored
from tests.widgets.viewport.hands import CTRL, LEFT, RIGHT, SHIFT, Held
from widgets.viewport.menus import recordings
from widgets.viewport.model_sheet import Slider
from widgets.viewport.orbit_camera import FOLLOW
from widgets.viewport.sliders import TICKS, SliderList

K = Qt.Key


# -- time --------------------------------------------------------------------------------------


def test_pause_step_and_step_back_by_keys(held: Held) -> None:
    held.pause()
    held.key(K.Key_R)
    held.until(lambda: held.frame.info["step"] == 0)
    poses = []
    for step in (1, 2, 3):
        held.key(K.Key_Right)
        held.until(lambda step=step: held.frame.info["step"] == step)
        poses.append(held.player.data.qpos.copy())
    for step in (2, 1):
        held.key(K.Key_Left)
        held.until(lambda step=step: held.frame.info["step"] == step)
        np.testing.assert_array_equal(held.player.data.qpos, poses[step - 1])
    held.bar.back.click()
    held.until(lambda: held.frame.info["step"] == 0)
    held.key(K.Key_End)
    held.until(lambda: held.frame.info["step"] == 3)
    np.testing.assert_array_equal(held.player.data.qpos, poses[2])


def test_playing_goes_on_from_where_the_history_slider_is(held: Held) -> None:
    held.until(lambda: held.frame.moment[1] > 6)
    held.pause()
    length = held.frame.moment[1]
    slider = held.panel.history.slider
    assert slider.maximum() == length - 1 and slider.value() == slider.maximum()
    assert held.panel.history.label.text() == "now"
    slider.setFocus()
    slider.setValue(2)
    held.until(lambda: held.frame.moment[0] == 2)
    assert not held.frame.playing and held.panel.history.label.text().startswith("−")
    held.key(K.Key_Space)
    held.until(lambda: held.frame.playing and held.frame.moment[0] == held.frame.moment[1] - 1)
    held.key(K.Key_Home)
    held.until(lambda: held.frame.moment[0] == 0)


def test_speed_by_keys_and_the_real_factor(held: Held) -> None:
    assert held.bar.speed.itemText(0) == "1/32×" and held.bar.speed.itemText(held.bar.speed.count() - 1) == "8×"
    held.key(K.Key_Minus)
    held.key(K.Key_Minus)
    assert held.bar.speed.currentText() == "1/4×"
    held.until(lambda: 0.15 < held.frame.speed < 0.35)
    for _ in range(20):
        held.key(K.Key_Plus)
    assert held.bar.speed.currentText() == "8×"
    held.until(lambda: held.frame.speed > 1.2)
    held.qtbot.keyClick(held.view, K.Key_Plus, SHIFT)


def test_keyframes_from_the_reset_buttons_menu(held: Held) -> None:
    held.until(lambda: held.bar.keyframes.actions())
    held.pause()
    held.key(K.Key_Right)
    held.until(lambda: held.frame.info["step"] > 0)
    held.bar.keyframes.actions()[0].trigger()
    home = held.player.model.key_qpos[0, :6]
    held.until(lambda: np.allclose(held.player.data.qpos[:6], home))
    held.key(K.Key_Right)
    held.until(lambda: not np.allclose(held.player.data.qpos[:6], home))
    held.key(K.Key_G)
    held.until(lambda: np.allclose(held.player.data.qpos[:6], home))


# -- cameras and selection ---------------------------------------------------------------------


def test_cameras_free_tracking_and_fixed(held: Held) -> None:
    held.key(K.Key_1)
    held.until(lambda: held.frame.camera == held.frame.cameras[0])
    held.key(K.Key_0)
    held.until(lambda: held.frame.camera == "free")
    held.bar.camera.activated.emit(held.bar.camera.findData(FOLLOW))
    held.until(lambda: held.frame.camera == FOLLOW)


def test_a_double_click_selects_and_centers_and_escape_lets_go(held: Held) -> None:
    held.pause()
    before = held.frame.image.copy()
    x, y = held.place_of("forearm_link")
    held.qtbot.mouseDClick(held.view, LEFT, pos=QPoint(round(x), round(y)))
    held.until(lambda: held.frame.selected)
    held.until(lambda: held.frame.image != before)
    assert held.frame.selected.endswith("_link")
    held.key(K.Key_Escape)
    held.until(lambda: not held.frame.selected)


@pytest.mark.parametrize(("button", "kind"), [(RIGHT, "force"), (LEFT, "torque")])
def test_ctrl_drag_pulls_or_turns_a_body(held: Held, button: Any, kind: str) -> None:
    held.panel.sources.choose_policy("hand")
    held.until(lambda: held.frame.by_hand and held.frame.playing)
    held.qtbot.wait(300)
    x, y = held.place_of("wrist_1_link")
    held.press(x, y, button, CTRL)
    held.until(lambda: held.frame.selected)
    body = held.player.perturb.select
    for i in range(8):
        held.move(x + 8 * i, y - 4 * i, button, CTRL)
        held.qtbot.wait(20)
    forces = slice(0, 3) if kind == "force" else slice(3, 6)
    held.until(lambda: np.abs(held.player.data.xfrc_applied[body, forces]).max() > 0.01)
    assert held.frame.camera == "free", "the camera holds still"
    held.let_go(x, y, button, CTRL)
    held.until(lambda: not held.player.data.xfrc_applied.any())
    assert held.frame.selected, "the body stays selected"


def test_the_goal_is_moved_by_the_mouse_while_paused(held: Held) -> None:
    held.pause()
    x, y = held.place_of("task/goal")
    start = held.player.data.body("task/goal").xpos.copy()
    held.press(x, y, RIGHT, CTRL | SHIFT)
    held.until(lambda: held.frame.selected == "task/goal")
    held.move(x + 40, y, RIGHT, CTRL | SHIFT)
    held.until(lambda: np.linalg.norm(held.player.data.body("task/goal").xpos - start) > 0.02)
    assert held.player.data.body("task/goal").xpos[2] == pytest.approx(start[2], abs=1e-6), "in the horizontal plane"
    held.let_go(x, y, RIGHT, CTRL | SHIFT)


# -- the inspector -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", "CFJMTHIASKW")
def test_keys_show_things_and_the_inspector_agrees(held: Held, key: str) -> None:
    held.pause()
    held.qtbot.wait(500)
    before = held.frame.image.copy()
    held.key(getattr(K, f"Key_{key}"))
    (box,) = [box for box in held.side.options.boxes.values() if f"({key})" in box.toolTip()]
    assert box.isChecked() and box.accessibleName()
    if key not in "CF":  # nothing touches anything here; those are seen in test_scene_extras
        held.until(lambda: held.frame.image != before)
    held.key(getattr(K, f"Key_{key}"))
    assert not box.isChecked()


def test_labels_and_frames_by_keys_and_by_mouse(held: Held) -> None:
    held.key(K.Key_L)
    held.key(K.Key_E)
    assert (held.side.options.labels.currentData(), held.side.options.frames.currentData()) == ("body", "body")
    box = held.side.options.boxes["joints"]
    held.bar.side.click()
    held.qtbot.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))
    assert "joints" in held.side.options.shown.on


def test_the_inspector_is_folded_at_first_and_then_costs_nothing(held: Held) -> None:
    assert held.side.isHidden()
    held.until(lambda: held.frame.playing)
    assert held.frame.joints is None and held.frame.actuators is None and held.frame.readings == ()
    held.key(K.Key_N)
    assert not held.side.isHidden() and held.bar.side.isChecked()
    held.side.sections["joints"].set_open(True)
    held.until(lambda: held.frame.joints is not None)
    assert held.frame.actuators is None
    held.key(K.Key_N)
    held.until(lambda: held.frame.joints is None)


def test_following_an_unchanged_frame_makes_few_calls(held: Held) -> None:
    """Each call into Qt may wait for the interpreter while training has it."""
    held.pause()
    frame, made = held.frame, [0]

    def count(_frame: Any, event: str, _argument: Any) -> None:
        made[0] += event in ("call", "c_call")

    held.panel.follow(frame)
    sys.setprofile(count)
    try:
        held.panel.follow(frame)
    finally:
        sys.setprofile(None)
    assert made[0] < 16


def test_a_joint_slider_follows_the_robot_and_poses_it(held: Held) -> None:
    held.bar.side.click()
    held.side.sections["joints"].set_open(True)
    held.until(lambda: held.frame.joints is not None and len(held.side.joints.sliders) == 6)
    held.until(lambda: held.side.joints.numbers[1].text() == f"{held.frame.joints[1]:.3f}")
    slider = held.side.joints.sliders[1]
    slider.setFocus()
    value = slider.value()
    held.qtbot.keyClick(slider, K.Key_PageUp)
    held.until(lambda: not held.frame.playing)
    joint = held.frame.sheet.joints[1]
    wanted = joint.low + (joint.high - joint.low) * (value + slider.pageStep()) / slider.maximum()
    held.until(lambda: abs(held.player.data.qpos[1] - wanted) < 0.15)
    assert slider.accessibleName() == f"Joint {joint.name}"


def test_an_actuator_slider_takes_the_robot_over(held: Held) -> None:
    held.bar.side.click()
    held.side.sections["actuators"].set_open(True)
    held.until(lambda: held.frame.actuators is not None and held.side.actuators.sliders)
    slider = held.side.actuators.sliders[0]
    slider.setValue(slider.maximum() * 6 // 10)
    held.until(lambda: held.frame.by_hand)
    assert held.bar.policy.currentData() == "hand" and held.view.overlays.policy == "by hand"
    actuator = held.frame.sheet.actuators[0]
    wanted = actuator.low + (actuator.high - actuator.low) * 0.6
    held.until(lambda: abs(held.player.data.qpos[0] - wanted) < 0.1)


def test_any_field_is_watched(held: Held) -> None:
    held.bar.side.click()
    held.side.sections["watch"].set_open(True)
    line = held.side.watch.line
    for text in ("qpos[elbow]", "qfrc_actuator", "qposs"):
        line.setText(text)
        held.qtbot.keyClick(line, K.Key_Return)
    rows = held.side.watch.rows
    held.until(lambda: len(held.frame.readings) == 3 and len(rows[0].spark.rows) > 5)
    assert float(rows[0].value.text()) == pytest.approx(held.frame.readings[0].values[0], abs=0.2)
    assert "Did you mean" in rows[2].value.text()
    assert len(np.unique([row[0] for row in rows[0].spark.rows])) > 2, "the trace moves"
    rows[1].removed.emit("qfrc_actuator")
    held.until(lambda: [r.text for r in held.frame.readings] == ["qpos[elbow]", "qposs"])


def test_a_preview_ends_when_it_is_ended(held: Held) -> None:
    mass = held.player.world.randomization["mass"]
    held.app_state.preview_changed.emit({"mass": 2.0})
    held.until(lambda: held.frame.preview and mass[0] == 2)
    held.panel.thread_.reset(8)
    held.until(lambda: held.frame.info["seed"] == 8)
    assert mass[0] == 2, "it holds over episodes"
    held.app_state.preview_changed.emit({})
    held.until(lambda: not held.frame.preview and mass[0] == 1)
    held.panel.thread_.reset(9)
    held.until(lambda: held.frame.info["seed"] == 9)
    assert mass[0] == 1


def test_a_slider_follows_a_diverging_joint_to_its_end(qtbot: Any) -> None:
    sliders = SliderList("Joint", "none")
    qtbot.addWidget(sliders)
    sliders.set_sliders((Slider(0, "slide", -1.0, 1.0, "m"),))
    turned: list[float] = []
    sliders.turned.connect(lambda _, value: turned.append(value))
    for value, tick in ((1e9, TICKS), (-1e9, 0), (0.0, TICKS // 2)):
        sliders.follow(np.array([value]))
        assert sliders.sliders[0].value() == tick
    assert not turned
    sliders.sliders[0].setValue(TICKS)
    assert turned == [1.0]


def test_evaluations_are_offered_by_what_they_are_judged_by(qtbot: Any) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    runs = [("run", Path("run"), [Scored(5, 64, None, 612.684), Scored(10, 64, 31, 3.0)])]
    files, looked = [("target", Path("0a1b.hdf5"))], []
    menu = recordings(parent, files, runs, lambda *what: looked.append(what), lambda: None, lambda folder, step: None)
    menu.actions()[0].trigger()
    assert looked == [(Path("0a1b.hdf5"), "Demonstrations of the target")], "a cached file's name says nothing"
    entries = [action.text() for action in menu.actions()[-1].menu().actions()]
    assert entries == ["step 10: 31 of 64 episodes succeeded", "step 5: mean return 612.68 of 64 episodes"]
