"""Why an expert fails: the cause is named, with its figures."""

from __future__ import annotations

from pathlib import Path

from plugins.tasks.reach import Reach
from studio.experiment import Domain
from studio.sim.diagnosis import diagnose
from studio.sim.robots.open_model import open_model

ARM = """<mujoco>{option}<compiler angle="radian"/><worldbody><body name="pole" pos="{place}">
<body name="l1"><joint name="j1" axis="0 0 1"/><geom type="capsule" fromto="0 0 0 0 0 .3" size=".04"/>
 <body name="l2" pos="0 0 .3" quat="{turn}"><joint name="j2" axis="0 1 0"/>
  <geom type="capsule" fromto="0 0 0 0 0 .4" size=".03"/>
  <body name="l3" pos="0 0 .4"><joint name="j3" axis="0 1 0"/>
   <geom type="capsule" fromto="0 0 0 0 0 .4" size=".025"/><site name="tip" pos="0 0 .4"/>
  </body></body></body></body>{more}</worldbody>{actuator}
<keyframe><key name="home" qpos="0 0 0"/></keyframe></mujoco>"""
SERVO = "<actuator>" + "".join(f'<position joint="j{i}" name="j{i}" {{gains}}/>' for i in (1, 2, 3)) + "</actuator>"


def said(tmp_path: Path, place: str = "0 0 0", turn: str = "1 0 0 0", **parts: str) -> str:
    path = tmp_path / "arm.xml"
    path.write_text(ARM.format(**{"option": "", "actuator": "", "more": ""} | parts, place=place, turn=turn))
    task, domain = Reach(), Domain(embodiment=str(path), observation="goal")
    cause, remedy = diagnose(domain, task, open_model(path), range(2))
    assert remedy
    return cause


def test_an_unstable_simulation_names_the_joint(tmp_path: Path) -> None:
    gains = SERVO.format(gains='kp="1e9"')
    cause = said(tmp_path, option='<option integrator="implicit"/>', actuator=gains)
    assert "unstable: joint 'j" in cause and "within 0.1 s" in cause


def test_a_robot_too_far_away_names_the_distance(tmp_path: Path) -> None:
    cause = said(tmp_path, place="-2 0 0")
    assert "out of reach" in cause and "m to (0." in cause
    assert "reaches 1.1" in cause or "reaches 1.0" in cause


def test_a_slow_robot_names_the_steps(tmp_path: Path) -> None:
    cause = said(tmp_path)
    assert "too slow" in cause and "an episode has 40" in cause


def test_a_robot_that_is_held_up_names_what_it_touches(tmp_path: Path) -> None:
    wall = '<body name="wall"><geom type="box" pos=".22 0 0" size=".05 2 2"/></body>'
    gains = SERVO.format(gains='kp="900" kv="60" forcerange="-60 60"')
    assert "'wall'" in said(tmp_path, more=wall, actuator=gains)


def test_motors_too_weak_are_named(tmp_path: Path) -> None:
    gains = SERVO.format(gains='kp="900" kv="60" forcerange="-1 1"')
    assert "limit of force" in said(tmp_path, actuator=gains, turn=".9 0 .44 0")
