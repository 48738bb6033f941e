"""Checks of our MJCF embodiments against the makers' published numbers (no rendering)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import mujoco
import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "embodiments"
ALL = ("franka_7dof", "ur5_6dof", "bimanual_14dof", "mobile_3dof")
PI = np.pi

FRANKA_JOINTS = [f"joint{i}" for i in range(1, 8)]
UR_JOINTS = ["shoulder_pan", "shoulder_lift", "elbow", "wrist_1", "wrist_2", "wrist_3"]
BASE_JOINTS = ["base_x", "base_y", "base_yaw"]
JOINTS = {
    "franka_7dof": FRANKA_JOINTS,
    "ur5_6dof": UR_JOINTS,
    "bimanual_14dof": [s + j for s in ("right_", "left_") for j in FRANKA_JOINTS],
    "mobile_3dof": BASE_JOINTS,
}
GRIPPERS = {
    "franka_7dof": ["gripper"],
    "ur5_6dof": [],
    "bimanual_14dof": ["right_gripper", "left_gripper"],
    "mobile_3dof": [],
}
SITES = {
    "franka_7dof": {"ee": (0.45, 0.0, 0.30)},
    "ur5_6dof": {"ee": (0.45, 0.0, 0.30)},
    "bimanual_14dof": {"right_ee": (0.45, -0.25, 0.30), "left_ee": (0.45, 0.25, 0.30)},
    "mobile_3dof": {"ee": (0.48, 0.0, 0.115)},
}
CAMERAS = {
    "franka_7dof": {"front", "top", "wrist"},
    "ur5_6dof": {"front", "top", "wrist"},
    "bimanual_14dof": {"front", "top", "right_wrist", "left_wrist"},
    "mobile_3dof": {"front", "top", "onboard"},
}

# Franka documentation, Panda: joint limits [rad], torque limits [Nm]
FRANKA_RANGE = [
    (-2.8973, 2.8973),
    (-1.7628, 1.7628),
    (-2.8973, 2.8973),
    (-3.0718, -0.0698),
    (-2.8973, 2.8973),
    (-0.0175, 3.7525),
    (-2.8973, 2.8973),
]
FRANKA_TORQUE = [87.0] * 4 + [12.0] * 3
# Gaz et al. 2019, links 0-7 [kg]
FRANKA_MASS = [0.629769, 4.970684, 0.646926, 3.228604, 3.587895, 1.225946, 1.666555, 0.735522]
# UR5e, UR's DH table and torque table
UR_MASS = [3.761, 8.058, 2.846, 1.37, 1.3, 0.365]
UR_TORQUE = [150.0] * 3 + [28.0] * 3
UR_LINKS = ["shoulder_link", "upper_arm_link", "forearm_link", "wrist_1_link", "wrist_2_link", "wrist_3_link"]


@cache
def load(name: str) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(FOLDER / f"{name}.xml"))


def at_home(name: str) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = load(name)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    mujoco.mj_forward(model, data)
    return model, data


def _turn(axis: int, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    out = np.eye(4)
    out[i, i] = out[j, j] = c
    out[i, j], out[j, i] = -s, s
    return out


def _shift(x: float, y: float, z: float) -> np.ndarray:
    out = np.eye(4)
    out[:3, 3] = x, y, z
    return out


def franka_flange(q: np.ndarray) -> np.ndarray:
    """Modified (Craig) DH of the Franka documentation."""
    a = [0, 0, 0, 0.0825, -0.0825, 0, 0.088]
    d = [0.333, 0, 0.316, 0, 0.384, 0, 0]
    alpha = [0, -PI / 2, PI / 2, PI / 2, -PI / 2, PI / 2, PI / 2]
    out = np.eye(4)
    for i in range(7):
        out = out @ _turn(0, alpha[i]) @ _shift(a[i], 0, 0) @ _turn(2, q[i]) @ _shift(0, 0, d[i])
    return out @ _shift(0, 0, 0.107)


def ur5e_flange(q: np.ndarray) -> np.ndarray:
    """Standard DH of Universal Robots' table; the base faces +x, so pi about z comes first."""
    a = [0, -0.425, -0.3922, 0, 0, 0]
    d = [0.1625, 0, 0, 0.1333, 0.0997, 0.0996]
    alpha = [PI / 2, 0, 0, PI / 2, -PI / 2, 0]
    out = _turn(2, PI)
    for i in range(6):
        out = out @ _turn(2, q[i]) @ _shift(0, 0, d[i]) @ _shift(a[i], 0, 0) @ _turn(0, alpha[i])
    return out


ARMS = [
    ("franka_7dof", "", franka_flange, FRANKA_JOINTS, np.eye(4)),
    ("ur5_6dof", "", ur5e_flange, UR_JOINTS, np.eye(4)),
    ("bimanual_14dof", "right_", franka_flange, FRANKA_JOINTS, _shift(0, -0.3, 0.05)),
    ("bimanual_14dof", "left_", franka_flange, FRANKA_JOINTS, _shift(0, 0.3, 0.05)),
]


@pytest.mark.parametrize("name, prefix, fk, joints, base", ARMS, ids=lambda v: v if isinstance(v, str) else None)
def test_flange_follows_the_published_dh(name, prefix, fk, joints, base):
    model = load(name)
    data = mujoco.MjData(model)
    ids = [model.joint(prefix + j).id for j in joints]
    rng = np.random.default_rng(7)
    for _ in range(50):
        q = rng.uniform(model.jnt_range[ids, 0], model.jnt_range[ids, 1])
        data.qpos[model.jnt_qposadr[ids]] = q
        mujoco.mj_kinematics(model, data)
        want = base @ fk(q)
        site = data.site(prefix + "flange")
        assert np.abs(site.xpos - want[:3, 3]).max() < 1e-6
        assert np.abs(site.xmat.reshape(3, 3) - want[:3, :3]).max() < 1e-6


@pytest.mark.parametrize("name", ALL)
def test_names_and_actuators(name):
    model = load(name)
    actuators = [model.actuator(i).name for i in range(model.nu)]
    assert sorted(actuators) == sorted(JOINTS[name] + GRIPPERS[name])
    for joint in JOINTS[name]:
        act = model.actuator(joint)
        assert act.trnid[0] == model.joint(joint).id
        assert np.allclose(act.ctrlrange, model.joint(joint).range)
        assert model.joint(joint).limited[0] and act.ctrllimited[0] and act.forcelimited[0]
    assert {model.camera(i).name for i in range(model.ncam)} == CAMERAS[name]
    assert model.opt.timestep == 0.002
    assert model.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    assert (model.vis.global_.offwidth, model.vis.global_.offheight) == (1920, 1080)


@pytest.mark.parametrize(
    "name, prefix", [("franka_7dof", ""), ("bimanual_14dof", "right_"), ("bimanual_14dof", "left_")]
)
def test_franka_data_sheet(name, prefix):
    model = load(name)
    for i, joint in enumerate(FRANKA_JOINTS):
        assert np.allclose(model.joint(prefix + joint).range, FRANKA_RANGE[i])
        assert np.allclose(model.actuator(prefix + joint).forcerange, (-FRANKA_TORQUE[i], FRANKA_TORQUE[i]))
    for i, mass in enumerate(FRANKA_MASS):
        assert model.body(f"{prefix}link{i}").mass[0] == pytest.approx(mass, abs=1e-9)
    hand = sum(model.body(prefix + b).mass[0] for b in ("hand", "left_finger", "right_finger"))
    assert hand == pytest.approx(0.73, abs=1e-9)
    for finger in ("finger_joint1", "finger_joint2"):
        assert np.allclose(model.joint(prefix + finger).range, (0, 0.04))
    assert np.allclose(model.numeric(prefix + "velocity_limits").data, [2.175] * 4 + [2.61] * 3)


def test_ur5e_data_sheet():
    model = load("ur5_6dof")
    for joint, torque, link, mass in zip(UR_JOINTS, UR_TORQUE, UR_LINKS, UR_MASS):
        assert np.allclose(model.joint(joint).range, (-2 * PI, 2 * PI))
        assert np.allclose(model.actuator(joint).forcerange, (-torque, torque))
        assert model.body(link).mass[0] == pytest.approx(mass, abs=1e-9)
    flange, tip = at_home("ur5_6dof")[1].site("flange").xpos, at_home("ur5_6dof")[1].site("ee").xpos
    assert np.linalg.norm(tip - flange) == pytest.approx(0.12, abs=1e-9)


@pytest.mark.parametrize(
    "name, mass",
    [
        ("franka_7dof", sum(FRANKA_MASS) + 0.73),
        ("bimanual_14dof", 2 * (sum(FRANKA_MASS) + 0.73)),
        ("ur5_6dof", 20.6 + 0.12),  # UR5e technical details, plus our probe
        ("mobile_3dof", 135.0),  # Ridgeback data sheet
    ],
)
def test_total_mass(name, mass):
    assert mujoco.mj_getTotalmass(load(name)) == pytest.approx(mass, abs=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_home_is_in_reach_of_the_work_and_free_of_contact(name):
    model, data = at_home(name)
    assert data.ncon == 0
    for site, want in SITES[name].items():
        assert np.abs(data.site(site).xpos - want).max() < 1e-5
        if name != "mobile_3dof":
            assert data.site(site).xmat[8] == pytest.approx(-1.0, abs=1e-9)  # tool z points down
    for joint in JOINTS[name]:
        q, limits = data.joint(joint).qpos[0], model.joint(joint).range
        assert limits[0] + 0.1 < q < limits[1] - 0.1
        assert data.ctrl[model.actuator(joint).id] == q


@pytest.mark.parametrize("name", ALL)
def test_home_is_held(name):
    model, data = at_home(name)
    start = data.site_xpos.copy()
    worst = 0.0
    for _ in range(1000):
        mujoco.mj_step(model, data)
        worst = max(worst, np.abs(data.site_xpos - start).max())
    assert np.isfinite(data.qpos).all()
    assert worst < 0.002


@pytest.mark.parametrize("name", ["franka_7dof", "ur5_6dof", "bimanual_14dof"])
def test_step_of_a_tenth_of_a_radian(name):
    model, data = at_home(name)
    for joint in JOINTS[name]:
        mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
        address = model.joint(joint).qposadr[0]
        start, act = data.qpos[address], model.actuator(joint).id
        data.ctrl[act] = start + 0.1
        path = []
        for _ in range(200):
            mujoco.mj_step(model, data)
            path.append((data.qpos[address] - start) / 0.1)
        path = np.array(path)
        assert path.max() < 1.05, joint
        assert np.abs(path[125:] - 1).max() < 0.02, joint  # from 0.25 s on


def test_gripper_opens_and_closes_evenly():
    model, data = at_home("franka_7dof")
    for target in (0.0, 0.03):
        data.ctrl[model.actuator("gripper").id] = target
        for _ in range(500):
            mujoco.mj_step(model, data)
        left, right = data.joint("finger_joint1").qpos[0], data.joint("finger_joint2").qpos[0]
        assert abs(left - right) < 5e-4 and abs(left - target) < 1e-3


def test_mobile_base_top_speed():
    model = load("mobile_3dof")
    for joint, limit in zip(BASE_JOINTS, (1.1, 1.1, 1.85)):
        data = mujoco.MjData(model)
        act = model.actuator(joint)
        address, dof = model.joint(joint).qposadr[0], model.joint(joint).dofadr[0]
        data.qpos[address] = act.ctrlrange[0]
        data.ctrl[act.id] = act.ctrlrange[1]
        top, path = 0.0, []
        for _ in range(6000):
            mujoco.mj_step(model, data)
            top = max(top, data.qvel[dof])
            path.append(data.qpos[address])
        assert 0.97 * limit < top <= 1.001 * limit
        assert max(path) < act.ctrlrange[1] + 0.01
        assert path[-1] == pytest.approx(act.ctrlrange[1], abs=0.01)


@pytest.mark.parametrize("name", ALL)
def test_looks_are_free_of_physics_and_of_signal_colours(name):
    model = load(name)
    visual = model.geom_group == 2
    assert not model.geom_contype[visual].any() and not model.geom_conaffinity[visual].any()
    assert (model.geom_type != mujoco.mjtGeom.mjGEOM_MESH).all()
    colours = [
        model.mat_rgba[model.geom_matid[g]] if model.geom_matid[g] >= 0 else model.geom_rgba[g]
        for g in np.flatnonzero(model.geom_group <= 2)
    ]
    assert max(np.ptp(c[:3]) for c in colours) < 0.25


@pytest.mark.parametrize("name", ALL)
def test_composes_with_a_ball(name):
    spec = mujoco.MjSpec.from_file(str(FOLDER / f"{name}.xml"))
    ball = spec.worldbody.add_body(name="ball", mocap=True, pos=[0.45, 0.1, 0.025])
    ball.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.025, 0, 0], contype=0, conaffinity=0)
    model = spec.compile()
    assert model.nmocap == 1 and model.nq == load(name).nq
    assert np.allclose(model.key("home").qpos, load(name).key("home").qpos)


@pytest.mark.parametrize("name", ["franka_7dof", "ur5_6dof", "bimanual_14dof"])
def test_front_camera_sees_balls_on_the_table(name):
    """Rays from the camera to the middle of 5 cm balls over the work area meet nothing."""
    model, data = at_home(name)
    eye = data.camera("front").xpos.copy()
    groups = np.array([1, 1, 1, 0, 0, 0], dtype=np.uint8)
    hit = np.zeros(1, dtype=np.int32)
    for x in np.linspace(0.30, 0.65, 8):
        for y in np.linspace(-0.30, 0.30, 13):
            ray = np.array([x, y, 0.025]) - eye
            far = mujoco.mj_ray(model, data, eye, ray, groups, 1, -1, hit, None)
            assert far < 0 or far > 1.0, (x, y, model.geom(hit[0]).name)
