"""Names of a robot's parts: given where there are none, and never a task's."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from studio.errors import DataError
from studio.sim.robots.names import free_name, name_parts
from studio.sim.robots.open_model import open_model
from studio.sim.scene import build
from tests.small_arms import JOINTS, arm


def positions(names: bool) -> str:
    """Position servos for all joints, with names or without."""
    return "<actuator>" + "".join(
        f'<position joint="{joint}" kp="100" kv="10"{f" name={chr(34)}p_{joint}{chr(34)}" if names else ""}/>'
        for joint in JOINTS
    ) + "</actuator>"  # fmt: skip


def nameless(path: Path, *kinds: str) -> Path:
    """Take the names of some kinds of elements out of a file."""
    import re

    text = path.read_text()
    for kind in kinds:
        text = re.sub(rf'<{kind} name="[^"]*"', f"<{kind}", text)
    path.write_text(text)
    return path


def test_unnamed_actuators_are_called_as_their_joints(tmp_path: Path) -> None:
    robot = open_model(arm(tmp_path, tail=positions(False)))
    assert robot.limbs[0].actuators == robot.limbs[0].joints == JOINTS
    assert "4 unnamed actuators got names: j1, j2, j3 and others." in robot.changes
    model = build(robot).model
    np.testing.assert_array_equal(model.actuator_gainprm[:, 0], 100)
    assert model.nu == 4, "the model's own servos are used"


def test_unnamed_joints_bodies_and_sites_are_named(tmp_path: Path) -> None:
    robot = open_model(nameless(arm(tmp_path), "joint", "body", "site"))
    assert robot.dof == 4 and all(robot.limbs[0].joints) and robot.limbs[0].site == "studio_site_0"
    scene = build(robot)
    assert scene.model.nu == 4 and scene.model.body(scene.limbs[0].body).name == "studio_body_4"


def test_an_unnamed_keyframe_is_the_home_pose(tmp_path: Path) -> None:
    robot = open_model(arm(tmp_path, tail='<keyframe><key qpos="0 .1 .2 .3"/></keyframe>'))
    np.testing.assert_allclose(build(robot).home_qpos, [0, 0.1, 0.2, 0.3])


def test_a_keyframe_called_home_comes_before_the_first(tmp_path: Path) -> None:
    keys = '<keyframe><key name="a" qpos="0 0 0 0"/><key name="home" qpos="0 .1 .2 .3"/></keyframe>'
    assert open_model(arm(tmp_path, tail=keys)).home == "home"


def test_a_name_that_is_taken_is_not_given_twice(tmp_path: Path) -> None:
    spec = mujoco.MjSpec.from_string(
        '<mujoco><worldbody><body name="studio_body_2"><joint name="a"/><geom size=".1"/><body><geom size=".1"/></body>'
        '</body></worldbody><actuator><motor name="a" joint="a"/><motor joint="a"/></actuator></mujoco>'
    )
    name_parts(spec)
    assert [body.name for body in spec.bodies] == ["world", "studio_body_2", "studio_body_2_2"]
    assert [actuator.name for actuator in spec.actuators] == ["a", "a_2"]
    assert free_name("a", {"a", "a_2"}) == "a_3" and free_name("b", {"a"}) == "b"


@pytest.mark.parametrize("kind", ["body", "joint", "site"])
def test_a_name_that_belongs_to_tasks_is_refused_in_a_sentence(tmp_path: Path, kind: str) -> None:
    old = {"body": "l3", "joint": "j3", "site": "tip"}[kind]
    path = arm(tmp_path, names={old: "task/goal"})
    with pytest.raises(
        DataError, match=f"The {kind} 'task/goal' has a name that belongs to the studio's tasks"
    ) as said:
        open_model(path)
    assert said.value.field == str(path) and "'task/'" in said.value.remedy


def test_parts_called_as_the_studios_are_do_not_stop_it(tmp_path: Path) -> None:
    path = arm(tmp_path, names={"l1": "studio_floor", "tip": "studio_tip"}, tail=positions(False))
    path.write_text(path.read_text().replace('<geom type="plane" size="2 2 .1"/>', ""))
    model = build(open_model(path)).model
    assert model.body("studio_floor_2").id and model.nu == 4
