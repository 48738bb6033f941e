"""Servos that the studio adds to a model: stable on any open chain, in the place of motors, untouched by defaults."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from plugins.tasks.reach import Reach
from studio.errors import DataError
from studio.experiment import Domain
from studio.sim.robots.actuators import command_of
from studio.sim.robots.chain import chain_of
from studio.sim.robots.mocap_welds import release_from_mocap
from studio.sim.robots.open_model import open_model
from studio.sim.robots.servos import BANDWIDTH, ERROR, add_servos
from studio.sim.rollout import expert_actions, run_episodes
from studio.sim.scene import build, compile_spec
from studio.sim.world import World
from studio.store.inspect import describe

JOINTS = ("j1", "j2", "j3", "j4")
ARM = """<mujoco>{head}<compiler angle="radian"/><worldbody>
<body name="l1" pos="0 0 .1"><joint name="j1" axis="0 0 1" range="-3 3" limited="true" damping="1"/>
 <geom type="capsule" fromto="0 0 0 0 0 .3" size=".04"/>
 <body name="l2" pos="0 0 .3"><joint name="j2" axis="0 1 0" range="-2 2" limited="true" damping="1"/>
  <geom type="capsule" fromto="0 0 0 .3 0 0" size=".03"/>
  <body name="l3" pos=".3 0 0"><joint name="j3" axis="0 1 0" range="-2.5 2.5" limited="true" damping="1"/>
   <geom type="capsule" fromto="0 0 0 .3 0 0" size=".025"/>
   <body name="l4" pos=".3 0 0"><joint name="j4" axis="0 1 0" range="-2.5 2.5" limited="true" damping="1"/>
    <geom type="capsule" fromto="0 0 0 .1 0 0" size=".02"/><site name="tip" pos=".1 0 0"/>
   </body></body></body></body>{more}</worldbody>{tail}</mujoco>"""


def arm(tmp_path: Path, head: str = "", more: str = "", tail: str = "") -> Path:
    """An arm of four light links without actuators of its own."""
    path = tmp_path / "arm.xml"
    path.write_text(ARM.format(head=head, more=more, tail=tail))
    return path


def motors(attributes: str) -> str:
    return "<actuator>" + "".join(f'<motor name="m_{j}" joint="{j}" {attributes}/>' for j in JOINTS) + "</actuator>"


def random_chain(rng: np.random.Generator) -> str:
    """An open chain of three to nine hinges about random axes, of plausible sizes, masses and time steps."""
    count, length, radius = int(rng.integers(3, 10)), 0.5, rng.uniform(0.03, 0.08)
    parts = [f'<mujoco><option timestep="{rng.choice([0.005, 0.01, 0.02])}"/><worldbody>']
    for i in range(count):
        axis = ["100", "010", "001"][int(rng.integers(3))]
        extra = [
            f'{name}="{rng.choice(values)}"'
            for name, values in (
                ("damping", [0, 0.1, 1, 10]),
                ("armature", [0, 0.001, 0.01, 0.1]),
                ("frictionloss", [0, 0, 0.2]),
            )
        ]
        place, length = (f"{length} 0 0" if i else "0 0 0.5"), rng.uniform(0.05, 0.4)
        radius = max(0.008, radius * rng.uniform(0.6, 1))
        parts.append(
            f'<body pos="{place}"><joint name="j{i}" axis="{" ".join(axis)}" {" ".join(extra)}/>'
            f'<geom type="capsule" fromto="0 0 0 {length} 0 0" size="{radius}" density="{rng.uniform(300, 4000)}" '
            'contype="0" conaffinity="0"/>'
        )  # fmt: skip
    return "".join(parts) + "</body>" * count + "</worldbody></mujoco>"


@pytest.mark.parametrize("seed", range(20))
def test_added_servos_stand_still_and_follow_a_sine(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spec = mujoco.MjSpec.from_string(random_chain(rng))
    model = spec.compile()
    add_servos(spec, model, chain_of(model))
    model = spec.compile()
    data, home, step = mujoco.MjData(model), rng.uniform(-1, 1, model.nu), model.opt.timestep
    data.qpos[:] = data.ctrl[:] = home
    mujoco.mj_step(model, data, nstep=round(10 / step))
    assert data.time > 9.9, "MuJoCo starts again where a state is no number"
    np.testing.assert_allclose(data.qpos, home, atol=1.5 * ERROR)
    assert np.abs(data.qvel).max() < 1e-3
    lag = 2 / min(BANDWIDTH, 1 / step)
    for k in range(round(2 / step)):
        data.ctrl[:] = home + 0.3 * np.sin(np.pi * k * step)
        mujoco.mj_step(model, data)
        follow = home + 0.3 * np.sin(np.pi * max(0, k * step - lag))
        assert np.abs(data.qpos - follow).max() < 0.06


@pytest.mark.parametrize(
    ("option", "actuators"),
    [("", ""), ('timestep="0.01" integrator="Euler"', ""), ('integrator="RK4"', motors('ctrlrange="-50 50"'))],
)
def test_the_expert_reaches_with_the_added_servos(tmp_path: Path, option: str, actuators: str) -> None:
    path = arm(tmp_path, head=f"<option {option}/>", tail=actuators)
    world = World(Domain(embodiment=str(path), observation="goal"), Reach(), open_model(path), 4, 1)
    assert run_episodes(world, expert_actions, range(4), needs_observation=False).successes.mean() >= 0.75
    assert world.diverged == 0
    world.close()


def test_torque_motors_become_servos_with_their_limits(tmp_path: Path) -> None:
    path = arm(tmp_path, tail=motors('gear="10" ctrlrange="-5 5" ctrllimited="true"'))
    robot = open_model(path)
    model = build(robot).model
    assert [command_of(model, a) for a in range(model.nu)] == ["position"] * 4
    assert robot.limbs[0].actuators == tuple(f"m_{j}" for j in JOINTS), "sensors that name them still find them"
    np.testing.assert_allclose(model.actuator_forcerange, [[-50, 50]] * 4)
    assert model.actuator_gear[0, 0] == 1 and not model.actuator_ctrllimited.any()
    assert any("replace" in change and "m_j1" in change for change in robot.changes)
    assert describe(path)["changes"] == [*robot.changes]


def test_limits_that_cannot_hold_the_robot_are_left_out(tmp_path: Path) -> None:
    robot = open_model(arm(tmp_path, tail=motors('ctrlrange="-1 1" ctrllimited="true"')))
    assert not build(robot).model.actuator_forcelimited.any()
    assert any("'j2' may use 1 N·m" in change for change in robot.changes)


@pytest.mark.parametrize(
    "default",
    [
        '<general ctrllimited="true"/>',
        '<general forcelimited="true"/>',
        '<general ctrlrange="-.1 .1" gear="30" dyntype="filter" dynprm="3" forcerange="-1 1"/>',
        '<position ctrlrange="-.1 .1"/><joint range="-1 1"/>',
    ],
)
def test_servos_do_not_inherit_the_files_defaults(tmp_path: Path, default: str) -> None:
    plain = build(open_model(arm(tmp_path))).model
    model = build(open_model(arm(tmp_path, head=f"<default>{default}</default>"))).model
    for field in ("gear", "ctrllimited", "ctrlrange", "forcelimited", "forcerange", "dyntype", "gainprm", "biasprm"):
        np.testing.assert_array_equal(getattr(model, f"actuator_{field}"), getattr(plain, f"actuator_{field}"))


def test_explicit_integrators_are_replaced_and_named(tmp_path: Path) -> None:
    robot = open_model(arm(tmp_path, head='<option integrator="RK4"/>'))
    assert build(robot).model.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    assert any("implicitfast instead of RK4" in change for change in robot.changes)
    robot = open_model(arm(tmp_path, head='<option integrator="implicit"/>'))
    assert build(robot).model.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICIT


def test_keyframes_command_the_new_servos_to_their_pose(tmp_path: Path) -> None:
    tail = '<actuator><position name="p3" joint="j3" kp="99" kv="9"/><motor name="m1" joint="j1"/></actuator>'
    key = '<keyframe><key name="home" qpos=".1 .2 .3 .4" ctrl=".35 7"/></keyframe>'
    scene = build(open_model(arm(tmp_path, tail=tail + key)))
    names = [scene.model.actuator(a).name for a in range(scene.model.nu)]
    assert dict(zip(names, scene.home_ctrl, strict=True)) == {"p3": 0.35, "m1": 0.1, "studio_j2": 0.2, "studio_j4": 0.4}


def test_velocity_servos_stay_where_all_joints_have_them(tmp_path: Path) -> None:
    servo = '<{} name="{}" joint="{}" {}/>'
    every = "".join(servo.format("velocity", j, j, 'kv="20"') for j in JOINTS)
    scene = build(open_model(arm(tmp_path, tail=f"<actuator>{every}</actuator>")))
    assert scene.limbs[0].velocity_controlled
    mixed = every.replace('velocity name="j2" joint="j2" kv', 'position name="j2" joint="j2" kp')
    scene = build(open_model(arm(tmp_path, tail=f"<actuator>{mixed}</actuator>")))
    assert not scene.limbs[0].velocity_controlled
    assert scene.model.actuator("j2").gainprm[0] == 20, "a position servo of the user's own stays as it is"


def test_torque_motors_of_a_registered_robot_are_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    path = arm(tmp_path, tail=motors(""))
    robot = replace(open_model(path), model=path)
    with pytest.raises(DataError, match="'m_j1' is a torque motor"):
        build(robot)
    limb = replace(robot.limbs[0], actuators=())
    with pytest.raises(DataError, match="4 joints to move and 0 actuators"):
        build(replace(robot, limbs=(limb,)))


def test_an_arm_is_released_from_a_mocap_body(tmp_path: Path) -> None:
    more = (
        '<body name="hand_target" mocap="true" pos=".7 0 .4"/><body name="stone"><freejoint/><geom size=".1"/></body>'
    )
    tail = '<equality><weld body1="hand_target" body2="l4"/><weld body1="stone" body2="hand_target"/></equality>'
    spec = mujoco.MjSpec.from_file(str(arm(tmp_path, more=more, tail=tail)))
    model = spec.compile()
    said = release_from_mocap(spec, model, chain_of(model))
    assert len(said) == 1 and "'hand_target'" in said[0]
    np.testing.assert_array_equal(spec.compile().eq_active0, [0, 1])


def test_a_joint_locked_by_damping_is_not_moved(tmp_path: Path) -> None:
    text = ARM.format(head="", more="", tail="").replace('range="-3 3" limited="true" damping="1"', 'damping="1e11"')
    path = tmp_path / "arm.xml"
    path.write_text(text)
    assert open_model(path).limbs[0].joints == ("j2", "j3", "j4")


def test_fingers_on_fixed_pads_end_the_chain(tmp_path: Path) -> None:
    finger = '<body><geom size=".01"/><body><joint name="{}" type="slide"/><geom size=".01"/></body></body>'
    text = ARM.format(head="", more="", tail="")
    path = tmp_path / "arm.xml"
    path.write_text(text.replace('<site name="tip"', finger.format("f1") + finger.format("f2") + '<site name="tip"'))
    assert open_model(path).limbs[0].joints == JOINTS


def test_many_degrees_of_freedom_get_a_dense_jacobian(tmp_path: Path) -> None:
    """MuJoCo 4.0.0's sparse solver is wrong: the table pushes its stones as hard as a dense Jacobian says."""
    stones = "".join(f'<body pos="{i} 5 .1"><freejoint/><geom size=".1"/></body>' for i in range(10))
    path = arm(tmp_path, more=stones + '<geom type="plane" size="20 20 1"/>')
    robot = open_model(path)
    assert any("Jacobian is dense" in change and "64" in change for change in robot.changes)
    assert build(robot).model.opt.jacobian == mujoco.mjtJacobian.mjJAC_DENSE
    few = compile_spec(mujoco.MjSpec.from_file(str(arm(tmp_path))), "")
    assert few.opt.jacobian == mujoco.mjtJacobian.mjJAC_AUTO
