"""What is drawn over a scene, by its pixels: toggles, labels, translucent copies, decorations, a held body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
import pytest
from PySide6.QtGui import QImage

from studio.contracts import Ball, Ghost, Line
from studio.viewer.decorations import path
from widgets.viewport.scene_renderer import LEVELS, SceneRenderer
from widgets.viewport.show_options import FRAMES, LABELS, TOGGLES, ViewOptions

SCENE = """
<mujoco>
  <option timestep="0.005"/>
  <visual><global azimuth="90" elevation="-15"/></visual>
  <worldbody>
    <light pos="0 0 3" castshadow="false"/>
    <camera name="side" pos="0.2 0 0.9"/>
    <geom name="floor" type="plane" size="2 2 0.1" rgba="0.3 0.3 0.3 1"/>
    <site name="mark" pos="-0.6 0 0.5" size="0.06" rgba="1 1 0 1"/>
    <body name="box" pos="0 0 0.1"><freejoint/>
      <geom type="box" size="0.1 0.1 0.1" rgba="0 0.6 0 1" mass="5" contype="0" conaffinity="0" group="2"/>
      <geom type="sphere" size="0.1" rgba="0.9 0 0 1" mass="5" group="3"/>
    </body>
    <body name="door" pos="0.5 0 0.5"><joint name="hinge" axis="0 1 0" pos="0 0 0.2"/>
      <geom type="box" size="0.05 0.02 0.1" rgba="0 0 0.9 1"/>
    </body>
    <body name="target" mocap="true" pos="-0.3 0 0.8"><geom size="0.05" rgba="0.9 0.9 0.9 1"/></body>
  </worldbody>
  <actuator><motor name="motor" joint="hinge"/></actuator>
</mujoco>
"""


BLUE = (0.1, 0.3, 1.0, 0.5)


class Drawn:
    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_string(SCENE)
        self.data = mujoco.MjData(self.model)
        mujoco.mj_step(self.model, self.data, 100)
        self.renderer = SceneRenderer()
        self.renderer.use(self.model)
        self.camera = mujoco.MjvCamera()
        self.camera.lookat[:] = [0, 0, 0.4]
        self.camera.distance, self.camera.azimuth, self.camera.elevation = 2.2, 90, -10

    def __call__(self, **more: Any) -> np.ndarray:
        image = self.renderer.draw(self.data, self.camera, 320, 240, LEVELS[4], **more)
        image = image.convertToFormat(QImage.Format.Format_RGB888)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(240, image.bytesPerLine())
        return rows[:, :960].reshape(240, 320, 3).astype(int)


@pytest.fixture
def drawn(qapp: Any) -> Iterator[Drawn]:
    made = Drawn()
    yield made
    made.renderer.close()


def bluish(pixels: np.ndarray) -> int:
    return int(((pixels[..., 2] > 90) & (pixels[..., 0] < 0.6 * pixels[..., 2])).sum())


@pytest.mark.parametrize("name", [toggle.name for toggle in TOGGLES])
def test_every_toggle_changes_the_picture_and_takes_it_back(drawn: Drawn, name: str) -> None:
    assert drawn.data.ncon > 0
    through = {"transparent"} - {name}  # so that what lies inside is seen
    drawn.renderer.show(ViewOptions(frozenset(through)))
    plain = drawn()
    drawn.renderer.show(ViewOptions(frozenset(through | {name})))
    assert (np.abs(drawn() - plain).max(-1) > 20).sum() > 10, "nothing is to be seen of it"
    drawn.renderer.show(ViewOptions(frozenset(through)))
    np.testing.assert_array_equal(drawn(), plain)


@pytest.mark.parametrize(
    "kind", [("label", label) for label in LABELS[1:]] + [("frame", frame) for frame in FRAMES[1:]]
)
def test_labels_and_frames(drawn: Drawn, kind: tuple[str, str]) -> None:
    plain = drawn()
    drawn.renderer.show(ViewOptions(**{kind[0]: kind[1]}))
    assert (np.abs(drawn() - plain).max(-1) > 20).sum() > 10


def test_collision_geometry_is_shown_in_place_of_the_visual(drawn: Drawn) -> None:
    green = (drawn()[..., 1] > 80).sum()
    drawn.renderer.show(ViewOptions(frozenset(["collision"])))
    pixels = drawn()
    red = ((pixels[..., 0] > 80) & (pixels[..., 1] < 50)).sum()
    assert red > 50 and (pixels[..., 1] - pixels[..., 0] > 60).sum() < green


def test_planes_stay_cheap_whatever_is_shown(drawn: Drawn) -> None:
    for shown in (ViewOptions(), ViewOptions(frozenset(["joints", "inertia", "collision"]), "body", "body")):
        drawn.renderer.show(shown)
        drawn()
        scene = drawn.renderer.scene
        kinds = [int(scene.geoms[i].type) for i in range(scene.ngeom)]
        assert int(mujoco.mjtGeom.mjGEOM_PLANE) not in kinds


def test_ghosts_are_translucent_copies_where_they_are_posed(drawn: Drawn) -> None:
    plain = drawn()
    pose = drawn.data.qpos.copy()
    pose[0] -= 0.5  # the box, half a meter to the left
    once = drawn(ghosts=[Ghost(pose, BLUE)])
    changed = np.abs(once - plain).max(-1) > 20
    assert changed.sum() > 100
    left, right = changed[:, :130].sum(), changed[:, 190:].sum()
    assert left > right, "the copy is at the left"
    assert bluish(once) > bluish(plain)
    where = np.argwhere(changed[:, :130])
    row, column = where.mean(0).astype(int)
    assert once[row, column, 2] < 250 and once[row, column, 2] > plain[row, column, 2], "and the floor shines through"
    twice = drawn(ghosts=[Ghost(pose, BLUE), Ghost(pose - np.eye(1, len(pose))[0] * 0.2, BLUE)])
    assert (np.abs(twice - plain).max(-1) > 20).sum() > 1.2 * changed.sum()
    np.testing.assert_array_equal(drawn(), plain)


def test_ghosts_in_one_place_are_as_translucent_as_one(drawn: Drawn) -> None:
    pose = drawn.data.qpos.copy()
    pose[0] -= 0.5
    swung = pose.copy()
    swung[7] += 1.0  # the door, which the others have where it was
    np.testing.assert_array_equal(drawn(ghosts=[Ghost(pose, BLUE)] * 6), drawn(ghosts=[Ghost(pose, BLUE)]))
    drawn(ghosts=[Ghost(pose, BLUE), Ghost(swung, BLUE)])
    scene, door, box = drawn.renderer.scene, *(drawn.model.body(name).geomadr[0] for name in ("door", "box"))

    def opacities(geom: int) -> list[float]:
        found = [scene.geoms[i].rgba[3] for i in range(scene.ngeom) if scene.geoms[i].objid == geom]
        return found[1:]  # the robot's own is the first

    assert opacities(door) == [0.5, 0.5] and opacities(box) == [0.5, 0.0]


def test_ghosts_do_not_double_the_goal_nor_outlive_their_model(drawn: Drawn) -> None:
    drawn(ghosts=[Ghost(drawn.data.qpos.copy(), (1, 0, 0, 1))])
    scene = drawn.renderer.scene
    target = drawn.model.body("target").geomadr[0]
    copies = [scene.geoms[i].rgba[3] for i in range(scene.ngeom) if scene.geoms[i].objid == target]
    assert sorted(copies) == [0.0, 1.0]
    drawn(ghosts=[Ghost(np.zeros(3), (1, 0, 0, 1))])  # of a model that was shown before
    assert drawn.renderer.ghosts == ()


def test_decorations(drawn: Drawn) -> None:
    plain = drawn()
    ball = drawn(decorations=[Ball((-0.5, 0, 0.4), 0.08, (0, 0, 1, 1))])
    assert bluish(ball) > bluish(plain) + 100
    line = drawn(decorations=[Line((-0.6, 0, 0.2), (-0.2, 0, 0.6), 0.03, (0, 0, 1, 1))])
    assert bluish(plain) + 50 < bluish(line) < bluish(ball) + 400
    way = drawn(decorations=path([(-0.6, 0, 0.2), (-0.4, 0, 0.6), (-0.2, 0, 0.2)], 0.03, (0, 0, 1, 1)))
    assert bluish(way) > bluish(line)
    np.testing.assert_array_equal(drawn(), plain)


def test_more_decorations_than_there_is_room_for(drawn: Drawn) -> None:
    drawn(decorations=[Ball((0, 0, 1), 0.01)] * 5000)
    assert drawn.renderer.scene.ngeom <= drawn.renderer.scene.maxgeom


def test_a_selected_body_and_its_force_are_drawn(drawn: Drawn) -> None:
    plain = drawn()
    held = mujoco.MjvPerturb()
    held.select = drawn.model.body("box").id
    selected = drawn(perturb=held)
    assert np.abs(selected - plain).max() > 20
    mujoco.mjv_initPerturb(drawn.model, drawn.data, drawn.renderer.scene, held)
    held.active = mujoco.mjtPertBit.mjPERT_TRANSLATE.value
    held.refselpos[2] += 0.4
    assert (np.abs(drawn(perturb=held) - selected).max(-1) > 20).sum() > 20


def test_picking_tells_body_and_place(drawn: Drawn) -> None:
    drawn()
    body, point = drawn.renderer.pick(drawn.data, 0.5, 0.66, 320 / 240)
    assert body == drawn.model.body("box").id and point is not None and abs(point[0]) < 0.1
    assert drawn.renderer.pick(drawn.data, 0.5, 0.02, 320 / 240) == (-1, None)
