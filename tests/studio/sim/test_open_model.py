"""Any MJCF or URDF file as an embodiment."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from studio import paths
from studio.errors import DataError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.robots.open_model import open_model
from studio.sim.scene import build, plain_words
from studio.sim.world import World

URDF = """<robot name="two_link">
  <link name="world"/>
  <link name="base"><inertial><mass value="2"/>
    <inertia ixx=".01" iyy=".01" izz=".01" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="mount" type="fixed"><parent link="world"/><child link="base"/><origin xyz="0 0 0.3"/></joint>
  <link name="upper"><inertial><origin xyz="0.15 0 0"/><mass value="1"/>
    <inertia ixx=".01" iyy=".01" izz=".01" ixy="0" ixz="0" iyz="0"/></inertial>
    <visual><origin xyz="0.15 0 0"/><geometry><box size="0.3 0.05 0.05"/></geometry></visual></link>
  <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/><axis xyz="0 1 0"/>
    <limit lower="-1.5" upper="1.5" effort="100" velocity="3"/></joint>
  <link name="fore"><inertial><origin xyz="0.15 0 0"/><mass value="0.5"/>
    <inertia ixx=".01" iyy=".01" izz=".01" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="elbow" type="revolute"><parent link="upper"/><child link="fore"/><origin xyz="0.3 0 0"/>
    <axis xyz="0 0 1"/>
    <limit lower="-2" upper="2" effort="100" velocity="3"/></joint>
</robot>
"""
BARE = """<mujoco model="bare"><compiler meshdir="parts"/>
  <asset><mesh name="wedge" file="wedge.obj"/></asset><worldbody>
  <body name="upper" pos="0 0 .3"><joint name="shoulder" axis="0 0 1" range="-90 90" limited="true"/>
    <geom type="mesh" mesh="wedge" mass="1"/>
    <body name="fore" pos=".3 0 0"><joint name="elbow" axis="0 1 0"/>
      <geom type="capsule" fromto="0 0 0 .3 0 0" size=".02" mass=".5"/>
    </body></body></worldbody></mujoco>"""
WEDGE = "v 0 0 0\nv .1 0 0\nv 0 .1 0\nv 0 0 .1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "wedge.obj").write_text(WEDGE)
    path = tmp_path / "bare.xml"
    path.write_text(BARE)
    return path


def test_a_urdf_becomes_an_embodiment_that_moves(tmp_path: Path) -> None:
    path = tmp_path / "two_link.urdf"
    path.write_text(URDF)
    robot = open_model(path)
    assert (robot.kind, robot.dof, robot.limbs[0].joints) == ("arm", 2, ("shoulder", "elbow"))
    assert robot.cameras == ("front",)
    domain = Domain(embodiment=str(path), observation="image", image_size=32)
    world = World(domain, task_of(domain, Registry()), embodiment_of(domain, Registry()), 1, 1)
    observation, _ = world.reset(seed=0)
    assert observation["joint_pos"].shape == (1, 2)
    assert observation["image"].std() > 5, "the camera sees something"
    before = world.end_effectors(np.zeros(1, int))
    for _ in range(5):
        world.step(np.array([[0.0, 1.0, 0.0]]))
    moved = world.end_effectors(np.zeros(1, int)) - before
    assert moved[0, 0, 1] > 0.05
    world.close()


def test_what_a_model_lacks_is_added_to_a_copy(bare: Path) -> None:
    robot = open_model(bare)
    assert bare.read_text() == BARE
    assert robot.model != bare and robot.model.is_relative_to(paths.cache())
    scene = build(robot)
    assert scene.model.nu == 2 and scene.model.nmesh == 1
    assert not scene.limbs[0].velocity_controlled
    camera = scene.model.camera("front")
    toward = -scene.model.cam_mat0[camera.id].reshape(3, 3)[:, 2]
    assert toward[0] < -0.5 and toward[2] < -0.3, "it looks at the robot from the front and above"
    up = scene.model.cam_mat0[camera.id].reshape(3, 3)[:, 1]
    assert up[2] > 0.5, "and it does not lie on its side"


def test_the_servos_hold_their_command(bare: Path) -> None:
    scene = build(open_model(bare))
    data = mujoco.MjData(scene.model)
    data.ctrl[:] = [0.5, -0.3]
    for _ in range(1500):
        mujoco.mj_step(scene.model, data)
    np.testing.assert_allclose(data.qpos, [0.5, -0.3], atol=0.15)
    assert np.abs(data.qvel).max() < 0.05


def test_our_own_models_open_through_the_same_door() -> None:
    path = paths.assets() / "embodiments" / "franka_7dof.xml"
    robot = open_model(path)
    assert (robot.dof, robot.model, robot.limbs[0].site) == (7, path, "ee")
    assert set(robot.cameras) == {"front", "top", "wrist"}


def test_a_driving_base_is_one() -> None:
    robot = open_model(paths.assets() / "embodiments" / "mobile_3dof.xml")
    assert (robot.kind, robot.dof) == ("base", 3)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("broken.xml", "<mujoco><worldbody><body><joint/></body></worldbody></mujoco>", "does not compile"),
        ("no.xml", "<mujoco><worldbody", "does not compile"),
        ("robot.urdf", "not a model", "does not compile"),
        ("rigid.xml", "<mujoco><worldbody><geom size='.1'/></worldbody></mujoco>", "no hinge or slide"),
        (
            "mesh.xml",
            "<mujoco><asset><mesh name='m' file='gone.obj'/></asset><worldbody><body><joint name='j'/>"
            "<geom type='mesh' mesh='m'/></body></worldbody></mujoco>",
            "does not compile",
        ),
    ],
)
def test_models_that_cannot_be_opened_say_why_in_a_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        open_model(path)
    assert caught.value.field == str(path)
    assert "\n" not in caught.value.message and caught.value.remedy


def test_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        open_model(tmp_path / "gone.xml")


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("XML parse error 6:\nError=XML_ERROR_PARSING ErrorID=6 Line number=7: x\n", "the XML is broken at line 7"),
        ("XML Error: Error opening file 'x.xml'\nElement 'include', line 1\n",
         "there is no file 'x.xml' (element 'include', line 1)"),
        ("Error: too light\nElement name 'l1', id 1\nThe static bodies of the spec were fused before this error, and "
         "remain so.", "too light (element 'l1')"),
        ("Error: unknown target 'j2'\nElement name '', id 1, line 11", "unknown target 'j2' (line 11)"),
    ],
)  # fmt: skip
def test_what_mujoco_found_is_said_in_a_line(said: str, plain: str) -> None:
    assert plain_words(ValueError(said)) == plain
