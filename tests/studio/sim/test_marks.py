"""Marks on slides: which bodies are some, and where a hand puts them."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from studio.sim.tasks.marks import slid, sliding_marks

BODY = """<body name="mark" pos="0.1 0.2 0"><joint type="slide" axis="1 0 0" {first}/>
<joint type="slide" axis="{axis}"/><geom size="0.1" {geom}/>{child}</body>"""
PLAIN = {"first": 'name="x" range="-0.3 0.3" limited="true"', "axis": "0 1 0", "child": "",
         "geom": 'contype="0" conaffinity="0"', "more": ""}  # fmt: skip
MOTOR = '<actuator><motor joint="x"/></actuator>'
TENDON = '<tendon><fixed name="t"><joint joint="x" coef="1"/></fixed></tendon><actuator><motor tendon="t"/></actuator>'


def model(**changes: str) -> mujoco.MjModel:
    parts = PLAIN | changes
    return mujoco.MjModel.from_xml_string(
        f"<mujoco><worldbody>{BODY.format(**parts)}</worldbody>{parts['more']}</mujoco>"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"geom": ""}, {"more": MOTOR}, {"more": TENDON}, {"first": 'name="x" stiffness="1"'}, {"axis": "0 0 1"},
        {"axis": "1 1 0"}, {"child": '<body><geom size="0.1"/></body>'},
    ],
)  # fmt: skip
def test_what_physics_has_a_hold_of_is_no_mark(changes: dict[str, str]) -> None:
    assert sliding_marks(model(**changes)) == {}


def test_a_mark_goes_where_the_hand_is_within_its_range() -> None:
    made = model()
    ((body, joints),) = sliding_marks(made).items()
    data = mujoco.MjData(made)
    mujoco.mj_forward(made, data)
    assert made.body(body).name == "mark"
    np.testing.assert_allclose(slid(made, data, body, joints, np.array([0.25, -0.4, 9.0])), [0.15, -0.6])
    np.testing.assert_allclose(slid(made, data, body, joints, np.array([2.0, 0.2, 0.0])), [0.3, 0.0], atol=1e-12)
