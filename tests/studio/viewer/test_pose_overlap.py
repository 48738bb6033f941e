"""Poses of one robot that look alike, and geoms that several of them have in the same place."""

from __future__ import annotations

import mujoco
import numpy as np

from studio.viewer.pose_overlap import groups_alike, repeated_geoms

ARM = """
<mujoco>
  <statistic extent="1"/>
  <worldbody>
    <body name="upper"><joint axis="0 0 1"/><geom name="upper" type="capsule" fromto="0 0 0 0.5 0 0" size="0.02"/>
      <body name="lower" pos="0.5 0 0"><joint axis="0 0 1"/>
        <geom name="lower" type="capsule" fromto="0 0 0 0.5 0 0" size="0.02"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


def test_poses_alike_are_grouped_with_the_first_they_match() -> None:
    model = mujoco.MjModel.from_xml_string(ARM)
    poses = np.array([[0, 0], [0, 1], [0.002, 0], [0.002, 1.001], [1, 0]], float)
    assert groups_alike(model, poses) == [[0, 2], [1, 3], [4]]
    assert groups_alike(model, np.empty((0, 2))) == []


def test_repeated_geoms_of_poses_that_differ() -> None:
    model = mujoco.MjModel.from_xml_string(ARM)
    upper, lower = model.geom("upper").id, model.geom("lower").id
    repeated = repeated_geoms(model, [np.array([0.0, 0.0]), np.array([0.0, 1.0]), np.array([0.0, 0.0])])
    assert repeated[:, upper].tolist() == [False, True, True]
    assert repeated[:, lower].tolist() == [False, False, True]


def test_a_body_turned_in_its_place_does_not_look_alike() -> None:
    model = mujoco.MjModel.from_xml_string(ARM.replace("0 0 0 0.5 0 0", "-0.25 0 0 0.25 0 0"))
    assert groups_alike(model, np.array([[0, 0], [0, 1]], float)) == [[0], [1]]
