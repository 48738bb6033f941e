"""Watched fields: what may be entered, what is read, and which message follows a wrong entry."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from studio.errors import StudioError
from studio.viewer.watched_fields import fields, parse

MODEL = """
<mujoco>
  <worldbody>
    <body name="cart"><freejoint name="root"/><geom size="0.1"/>
      <body name="arm"><joint name="elbow"/><geom size="0.1"/><site name="tip"/></body>
    </body>
  </worldbody>
  <actuator><motor name="motor" joint="elbow"/></actuator>
  <sensor><framepos name="where" objtype="site" objname="tip"/><jointpos name="bend" joint="elbow"/></sensor>
</mujoco>
"""


@pytest.fixture
def scene() -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = mujoco.MjModel.from_xml_string(MODEL)
    data = mujoco.MjData(model)
    data.qpos[:] = np.arange(model.nq) + 1.0
    data.qpos[3:7] = [1, 0, 0, 0]
    data.ctrl[0] = 0.5
    mujoco.mj_forward(model, data)
    return model, data


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("qpos[7]", [8.0]),
        (" qpos [ 0 : 3 ] ", [1.0, 2.0, 3.0]),
        ("qpos[-1]", [8.0]),
        ("qpos[elbow]", [8.0]),
        ("qpos[root]", [1, 2, 3, 1, 0, 0, 0]),
        ("ctrl[motor]", [0.5]),
        ("ctrl", [0.5]),
        ("xpos[cart]", [1.0, 2.0, 3.0]),
        ("xpos[cart,1]", [2.0]),
        ("xpos[1, 0:2]", [1.0, 2.0]),
        ("sensordata[bend]", [8.0]),
        ("sensordata[3]", [8.0]),
        ("time", [0.0]),
    ],
)
def test_what_is_read(scene: tuple[mujoco.MjModel, mujoco.MjData], text: str, wanted: list[float]) -> None:
    model, data = scene
    np.testing.assert_allclose(parse(text, model, data).read(data), wanted)


def test_a_free_joint_has_six_speeds(scene: tuple[mujoco.MjModel, mujoco.MjData]) -> None:
    assert len(parse("qvel[root]", *scene).read(scene[1])) == 6


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("qposs", "qpos"),
        ("__class__", "no field"),
        ("qpos[99]", "0 to 7"),
        ("qpos[5:5]", "empty"),
        ("qpos[shoulder]", "no joint 'shoulder'"),
        ("xpos[0,1,2]", "2 dimensions"),
        ("time[0]", "0 dimensions"),
        ("qpos[0", "not a field"),
        ("import os", "not a field"),
        ("", "not a field"),
        ("solver_niter[x]", "not a row"),
    ],
)
def test_what_is_said(scene: tuple[mujoco.MjModel, mujoco.MjData], text: str, words: str) -> None:
    with pytest.raises(StudioError, match=None) as caught:
        parse(text, *scene)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sensordata", "the model has no sensors"),
        ("ctrl[0]", "the model has no actuators"),
        ("qvel", "the model has no joints"),
        ("act", "'act' is empty"),
    ],
)
def test_a_field_without_data_is_reported_as_empty(text: str, words: str) -> None:
    model = mujoco.MjModel.from_xml_string("<mujoco/>")
    with pytest.raises(StudioError, match=words):
        parse(text, model, mujoco.MjData(model))


def test_every_listed_field_can_be_read(scene: tuple[mujoco.MjModel, mujoco.MjData]) -> None:
    model, data = scene
    known = fields(data)
    assert {"qpos", "qfrc_actuator", "sensordata", "time"} <= known.keys()
    for name in known:
        assert len(parse(name, model, data).read(data)) >= 1
