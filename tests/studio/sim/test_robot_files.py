"""The files that a model is made of: found as MuJoCo does, noticed when they change, copied by contents."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import mujoco
import numpy as np
import pytest

from studio import paths
from studio.data.datasets import cache_path, model_hash
from studio.errors import DataError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.sim.robots.open_model import open_model
from studio.sim.scene import build

ROBOT = """<mujocoinclude><body name="l1" pos="0 0 .1"><joint name="j1" axis="0 0 1" damping="1"/>
<geom type="capsule" fromto="0 0 0 0 0 .3" size=".04"/>
<body name="l2" pos="0 0 .3"><joint name="j2" axis="0 1 0" damping="1"/>
<geom type="capsule" fromto="0 0 0 {0} 0 0" size=".03"/><body name="l3" pos="{0} 0 0">
<joint name="j3" axis="0 1 0" damping="1"/><geom type="capsule" fromto="0 0 0 {0} 0 0" size=".025"/>
</body></body></body></mujocoinclude>"""
SCENE = '<mujoco><worldbody><light pos="0 0 3"/><include file="robot.xml"/></worldbody></mujoco>'
LINK = """<body name="b{0}" pos=".3 0 0"><joint name="j{0}" axis="0 1 0"/>
<geom type="mesh" mesh="tet" mass="1"/>{1}</body>"""
MESHED = '<mujoco model="m"><compiler meshdir="../parts"/><asset><mesh name="tet" file="tet.stl"/></asset><worldbody>'
LINKS = ("b", "l1", "l2", "l3")


def two_scenes(folder: Path) -> tuple[Path, Path]:
    """Two robots of the same file name, which differ in an included file alone."""
    for name, length in (("a", 0.45), ("b", 0.6)):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "robot.xml").write_text(ROBOT.format(length))
        (folder / name / "scene.xml").write_text(SCENE)
    return folder / "a" / "scene.xml", folder / "b" / "scene.xml"


def stl(path: Path, size: float) -> Path:
    """A tetrahedron."""
    corners = size * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = [corners[list(face)] for face in ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))]
    text = b"".join(struct.pack("<12fH", 0, 0, 0, *face.ravel(), 0) for face in faces)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(bytes(80) + struct.pack("<I", 4) + text)
    return path


def meshed(folder: Path) -> Path:
    """An arm whose mesh lies in another folder than its file."""
    stl(folder / "parts" / "tet.stl", 0.05)
    (folder / "robot").mkdir()
    path = folder / "robot" / "robot.xml"
    path.write_text(MESHED + LINK.format(1, LINK.format(2, LINK.format(3, ""))) + "</worldbody></mujoco>")
    return path


def urdf(path: Path, mesh: str) -> Path:
    shape = f'<collision><geometry><mesh filename="{mesh}"/></geometry></collision>'
    mass = '<mass value="1"/><inertia ixx=".01" iyy=".01" izz=".01" ixy="0" ixz="0" iyz="0"/>'
    links = "".join(f'<link name="{name}"><inertial>{mass}</inertial>{shape}</link>' for name in LINKS)
    joints = "".join(
        f'<joint name="j{i}" type="revolute"><parent link="{LINKS[i - 1]}"/><child link="{LINKS[i]}"/>'
        '<origin xyz="0 0 .2"/><axis xyz="0 1 0"/><limit lower="-2" upper="2" effort="50" velocity="2"/></joint>'
        for i in (1, 2, 3)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<robot name="r">{links}{joints}</robot>')
    return path


def later(path: Path) -> None:
    """Make a file's time of change another one, as an edit some time later does."""
    now = path.stat()
    os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns + 2_000_000_000))


def test_robots_that_differ_in_an_included_file_have_copies_of_their_own(tmp_path: Path) -> None:
    a, b = (open_model(path) for path in two_scenes(tmp_path))
    assert a.model != b.model and a.contents != b.contents
    lengths = [build(robot).model.body("l3").pos[0] for robot in (a, b)]
    np.testing.assert_allclose(lengths, [0.45, 0.6])


def test_an_edited_included_file_is_noticed_in_the_process(tmp_path: Path) -> None:
    scene, _ = two_scenes(tmp_path)
    before = open_model(scene)
    assert open_model(scene) is before
    (tmp_path / "a" / "robot.xml").write_text(ROBOT.format(0.3))
    after = open_model(scene)
    assert after.model != before.model
    assert build(after).model.body("l3").pos[0] == pytest.approx(0.3)


@pytest.mark.parametrize("what", ["mesh", "texture", "height field"])
def test_an_edited_asset_is_another_robot(tmp_path: Path, what: str) -> None:
    from PIL import Image

    path, file = meshed(tmp_path), tmp_path / "parts" / "tet.stl"
    asset = ""
    if what == "texture":
        file = tmp_path / "parts" / "face.png"
        Image.new("RGB", (4, 4), "red").save(file)
        names = "".join(f' file{side}="face.png"' for side in ("right", "left", "up", "down", "front", "back"))
        asset = f'<texture name="t" type="cube"{names}/>'
    if what == "height field":
        file = tmp_path / "parts" / "h.bin"
        file.write_bytes(struct.pack("<ii4f", 2, 2, 0, 0, 0, 1))
        asset = '<hfield name="h" file="h.bin" size="1 1 .1 .1"/>'
    text = path.read_text().replace("</asset>", f"{asset}</asset>")
    path.write_text(text.replace('meshdir="../parts"', 'meshdir="../parts" texturedir="../parts"'))
    before = open_model(path)
    hashed = model_hash(before.model)
    file.write_bytes(file.read_bytes()[:-6] + struct.pack("<fH", 0.07, 0))
    if what == "texture":
        Image.new("RGB", (4, 4), "blue").save(file)
    later(file)
    after = open_model(path)
    assert after.model != before.model and model_hash(after.model) != hashed
    if what == "mesh":
        assert not np.array_equal(build(after).model.mesh_vert, mujoco.MjModel.from_xml_path(str(before.model)).opt)


def test_an_edited_asset_makes_another_dataset(tmp_path: Path) -> None:
    path, registry = meshed(tmp_path), Registry()
    domain = Domain(embodiment=str(path), observation="goal")
    before = cache_path(resolve(domain, registry), 0)
    later(stl(tmp_path / "parts" / "tet.stl", 0.06))
    assert cache_path(resolve(domain, registry), 0) != before


def test_an_attached_model_brings_its_own_mesh_folder(tmp_path: Path) -> None:
    meshed(tmp_path)
    scene = tmp_path / "scene.xml"
    scene.write_text(
        '<mujoco><asset><model name="r" file="robot/robot.xml"/></asset>'
        '<worldbody><attach model="r" body="b1" prefix="r_"/></worldbody></mujoco>'
    )
    robot, theirs = open_model(scene), mujoco.MjModel.from_xml_path(str(scene))
    assert robot.limbs[0].joints == ("r_j1", "r_j2", "r_j3") and robot.model.is_relative_to(paths.cache())
    model = build(robot).model
    assert (model.nmesh, model.nq) == (theirs.nmesh, theirs.nq)
    np.testing.assert_allclose(model.mesh_vert, theirs.mesh_vert, atol=1e-6)


def test_a_model_to_attach_without_a_file_does_not_stop_the_next(tmp_path: Path) -> None:
    meshed(tmp_path)
    scene, top = tmp_path / "scene.xml", tmp_path / "top.xml"
    attach = '<attach model="r" body="b1" prefix="r_"/>'
    scene.write_text(f'<mujoco><asset><model name="r"/></asset><worldbody>{attach}</worldbody></mujoco>')
    top.write_text('<mujoco><include file="scene.xml"/></mujoco>')
    for path in (scene, top):
        with pytest.raises(DataError, match="A <model> that is to be attached has no file") as caught:
            open_model(path)
        assert caught.value.field == str(path)
    scene.write_text(scene.read_text().replace('name="r"/>', 'name="r" file="robot/robot.xml"/>'))
    assert open_model(top).dof == 3


@pytest.mark.parametrize("where", ["ws/my_robot/urdf/r.urdf", "ws/my_robot/r.urdf", "ws/other/urdf/deep/r.urdf"])
def test_a_package_is_found_up_the_tree(tmp_path: Path, where: str) -> None:
    stl(tmp_path / "ws" / "my_robot" / "meshes" / "tet.stl", 0.05)
    robot = open_model(urdf(tmp_path / where, "package://my_robot/meshes/tet.stl"))
    assert build(robot).model.nmesh == 1 and robot.limbs[0].joints == ("j1", "j2", "j3")


def test_a_package_that_is_missing_says_where_it_was_looked_for(tmp_path: Path) -> None:
    path = urdf(tmp_path / "my_robot" / "urdf" / "r.urdf", "package://other/meshes/tet.stl")
    with pytest.raises(DataError) as caught:
        open_model(path)
    assert "'other/meshes/tet.stl'" in caught.value.message and str(path.parent) in caught.value.message
    assert caught.value.field == str(path) and "'other'" in caught.value.remedy


def test_a_mesh_by_relative_path_and_by_url(tmp_path: Path) -> None:
    file = stl(tmp_path / "my_robot" / "meshes" / "tet.stl", 0.05)
    for mesh in ("../meshes/tet.stl", file.as_uri()):
        robot = open_model(urdf(tmp_path / "my_robot" / "urdf" / "r.urdf", mesh))
        assert build(robot).model.nmesh == 1
        later(tmp_path / "my_robot" / "urdf" / "r.urdf")


def test_a_copy_that_was_removed_is_written_again(tmp_path: Path) -> None:
    scene, _ = two_scenes(tmp_path)
    open_model(scene).model.unlink()
    assert open_model(scene).model.is_file()


def test_faults_name_the_users_file_never_the_caches(tmp_path: Path) -> None:
    scene, _ = two_scenes(tmp_path)
    robot = open_model(scene)
    robot.model.write_text("<mujoco><worldbody/></mujoco>")
    with pytest.raises(DataError) as caught:
        build(robot)
    assert caught.value.field == str(scene) and str(paths.cache()) not in str(caught.value)
