"""A home pose, light, floor and a camera for models that have none."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.robots.home import AIM
from studio.sim.robots.open_model import open_model
from studio.sim.robots.surroundings import TABLE
from studio.sim.rollout import run_episodes
from studio.sim.scene import build
from studio.sim.world import World
from studio.store.inspect import describe
from tests.small_arms import arm

MASS = '<origin xyz="0 0 {0}"/><mass value="2"/><inertia ixx=".03" iyy=".03" izz=".03" ixy="0" ixz="0" iyz="0"/>'
LIMIT = '<limit lower="-2.8" upper="2.8" effort="100" velocity="3"/>'


def tall(folder: Path, length: float = 0.4, inertial: bool = True) -> Path:
    """A URDF that stands upright: four links of ``length`` m, and a tool fixed to the last."""
    inside = f"<inertial>{MASS.format(length / 2)}</inertial>" if inertial else ""
    parts = ['<robot name="tall"><link name="base"/>']
    for i in range(1, 5):
        parent, height, axis = ("base", 0.1, "0 0 1") if i == 1 else (f"l{i - 1}", length, "0 1 0")
        parts.append(
            f'<link name="l{i}">{inside}</link><joint name="j{i}" type="revolute"><parent link="{parent}"/>'
            f'<child link="l{i}"/><origin xyz="0 0 {height}"/><axis xyz="{axis}"/>{LIMIT}</joint>'
        )
    parts.append(
        '<link name="tool"/><joint name="t" type="fixed"><parent link="l4"/><child link="tool"/>'
        f'<origin xyz="0 0 {length}"/></joint></robot>'
    )
    path = folder / "tall.urdf"
    path.write_text("".join(parts))
    return path


def tip_at_home(path: Path) -> np.ndarray:
    scene = build(open_model(path))
    data = mujoco.MjData(scene.model)
    data.qpos[:] = scene.home_qpos
    mujoco.mj_forward(scene.model, data)
    return np.array(data.site_xpos[scene.limbs[0].site])


def test_a_tall_urdf_rests_with_its_tool_before_it_and_its_expert_reaches(tmp_path: Path) -> None:
    path = tall(tmp_path)
    np.testing.assert_allclose(tip_at_home(path), AIM, atol=0.02)
    plan = Domain(embodiment=str(path), observation="goal")
    world = World(plan, task_of(plan, Registry()), embodiment_of(plan, Registry()), 8, 1)
    outcome = run_episodes(world, lambda world, ids, _: world.expert(ids), range(8))
    assert outcome.successes.all()


def test_the_home_pose_is_the_same_every_time(tmp_path: Path) -> None:
    first = build(open_model(tall(tmp_path))).home_qpos
    (tmp_path / "other").mkdir()
    np.testing.assert_array_equal(build(open_model(tall(tmp_path / "other"))).home_qpos, first)


def test_what_was_found_and_added_is_said(tmp_path: Path) -> None:
    changes = " ".join(describe(tall(tmp_path))["changes"])
    assert "resting pose 'home' was found, with the end of the arm at (0.45" in changes
    assert all(words in changes for words in ("A floor at height 0 was added", "Lights were added", "camera 'front'"))


def test_a_short_arm_is_not_stretched(tmp_path: Path) -> None:
    place = tip_at_home(tall(tmp_path, length=0.1))
    assert np.linalg.norm(place - [0, 0, 0.2]) < 0.27, "its links are 0.3 m together"
    assert place[0] > 0.05


def test_a_models_own_keyframe_stays(tmp_path: Path) -> None:
    robot = open_model(arm(tmp_path, tail='<keyframe><key name="rest" qpos="0 0 0 0"/></keyframe>'))
    assert robot.home == "rest" and not any("resting pose" in change for change in robot.changes)


def test_an_arm_tied_to_the_world_keeps_its_pose(tmp_path: Path) -> None:
    robot = open_model(arm(tmp_path, tail='<equality><connect body1="l4" anchor=".1 0 0"/></equality>'))
    assert robot.home == "" and not any("resting pose" in change for change in robot.changes)


def test_coupled_joints_are_coupled_at_home(tmp_path: Path) -> None:
    tail = '<equality><joint joint1="j4" joint2="j3" polycoef="0 1 0 0 0"/></equality>'
    home = build(open_model(arm(tmp_path, tail=tail))).home_qpos
    assert home[3] == pytest.approx(home[2], abs=1e-5) and home[2] != 0


def test_links_without_a_mass_get_one_and_it_is_said(tmp_path: Path) -> None:
    robot = open_model(tall(tmp_path, inertial=False))
    assert "Links without a mass were given 0.1 kg: l1, l2, l3, l4." in robot.changes
    assert build(robot).model.body_mass.sum() == pytest.approx(0.4)


def test_a_block_lies_on_the_floor_that_was_added(tmp_path: Path) -> None:
    plan = Domain(embodiment=str(tall(tmp_path)), task="push", observation="goal")
    world = World(plan, task_of(plan, Registry()), embodiment_of(plan, Registry()), 1, 1)
    world.reset(seed=0)
    for _ in range(5):
        world.step(np.zeros((1, 3)))
    assert world.task.goal(world, np.zeros(1, int))[0, 2] == pytest.approx(0.03, abs=0.005)


def test_a_block_does_not_inherit_the_files_defaults(tmp_path: Path) -> None:
    path = arm(tmp_path, head='<default><geom contype="0" conaffinity="0" group="3"/><joint damping="9"/></default>')
    path.write_text(path.read_text().replace('type="plane"', 'type="plane" contype="1" conaffinity="1"'))
    plan = Domain(embodiment=str(path), task="push", observation="goal")
    world = World(plan, task_of(plan, Registry()), embodiment_of(plan, Registry()), 1, 1)
    world.reset(seed=0)
    for _ in range(5):
        world.step(np.zeros((1, 3)))
    assert world.task.goal(world, np.zeros(1, int))[0, 2] == pytest.approx(0.03, abs=0.005)
    model, theirs = world.model, mujoco.MjModel.from_xml_path(str(path))
    assert model.geom("task/block").group == 0 and not model.dof_damping[-6:].any()
    np.testing.assert_array_equal(model.geom_contype[: theirs.ngeom], theirs.geom_contype)
    np.testing.assert_array_equal(model.dof_damping[:4], [1, 1, 1, 1])


def test_a_base_sunk_into_the_added_floor_is_not_thrown_out(tmp_path: Path) -> None:
    path = arm(tmp_path)
    text = path.read_text().replace('<geom type="plane" size="2 2 .1"/>', "")
    path.write_text(text.replace('pos="0 0 .1"><joint', 'pos="0 0 -.1"><joint'))
    scene = build(open_model(path))
    data = mujoco.MjData(scene.model)
    data.qpos[:], data.ctrl[:] = scene.home_qpos, scene.home_ctrl
    mujoco.mj_step(scene.model, data, nstep=200)
    np.testing.assert_allclose(data.qpos, scene.home_qpos, atol=0.05)


def test_an_arm_passes_through_a_floor_that_was_added(tmp_path: Path) -> None:
    scene = build(open_model(tall(tmp_path)))
    model, data = scene.model, mujoco.MjData(scene.model)
    for pose in np.random.default_rng(0).uniform(-2.8, 2.8, (20, model.nq)):
        data.qpos[:] = pose
        mujoco.mj_forward(model, data)
        assert model.body("studio_floor").id not in model.geom_bodyid[data.contact.geom]


@pytest.mark.parametrize("length", [0.15, 0.6])
def test_the_added_camera_frames_robot_and_table(tmp_path: Path, length: float) -> None:
    scene = build(open_model(tall(tmp_path, length)))
    model, data = scene.model, mujoco.MjData(scene.model)
    data.qpos[:] = scene.home_qpos
    mujoco.mj_forward(model, data)
    camera = model.camera("front").id
    axes = data.cam_xmat[camera].reshape(3, 3)
    points = np.concatenate([TABLE, data.xpos[2:]])
    seen = (points - data.cam_xpos[camera]) @ axes
    slope = np.tan(np.radians(model.cam_fovy[camera]) / 2)
    assert (seen[:, 2] < 0).all() and (np.abs(seen[:, :2]).max(1) < -slope * seen[:, 2]).all()


def test_pictures_of_a_urdf_are_bright(tmp_path: Path) -> None:
    plan = Domain(embodiment=str(tall(tmp_path)), observation="image", image_size=32)
    world = World(plan, task_of(plan, Registry()), embodiment_of(plan, Registry()), 1, 1)
    world.reset(seed=0)
    image = world.images(np.zeros(1, int))[0]
    world.close()
    assert image.mean() > 90


def test_links_without_a_shape_are_drawn_as_rods(tmp_path: Path) -> None:
    robot = open_model(tall(tmp_path))
    assert "Rods were added from joint to joint: no link has a shape." in robot.changes
    model = build(robot).model
    rods = model.geom_type == mujoco.mjtGeom.mjGEOM_CAPSULE
    assert rods.sum() == 4 and not (model.geom_contype[rods] | model.geom_conaffinity[rods]).any()
    assert model.body_mass.sum() == pytest.approx(8)
    assert not any("Rods" in change for change in open_model(arm(tmp_path)).changes)
