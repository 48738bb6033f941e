"""The viewport's camera: by hand, and following what moves."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from tests.widgets.viewport.fake_player import FakePlayer
from widgets.viewport.orbit_camera import FOLLOW, FREE, OrbitCamera, camera_names, moving_body


def test_camera_orbits_zooms_pans_and_leaves_a_fixed_one() -> None:
    player = FakePlayer()
    camera = OrbitCamera()
    camera.frame(player.model)
    assert (camera.azimuth, camera.elevation) == (120, -20)
    camera.orbit(0.1, 2.0)
    assert camera.azimuth == pytest.approx(102)
    assert camera.elevation == pytest.approx(-89.9)
    distance = camera.distance
    camera.zoom(1)
    assert camera.distance == pytest.approx(0.9 * distance)
    camera.mode = "front"
    camera.leave_fixed(player.model, player.data)
    assert camera.mode == FREE
    eye = player.data.cam_xpos[0]
    forward = camera.axes()[2]
    np.testing.assert_allclose(camera.lookat - camera.distance * forward, eye, atol=1e-6)


def test_view_is_fitted_to_places_until_a_person_moves_it() -> None:
    model, camera = FakePlayer().model, OrbitCamera()
    camera.frame(model)
    home = camera.lookat, camera.distance
    near, far = np.array([[0.0, 0, 0], [0.2, 0.1, 0]]), np.array([[0.0, 0, 0], [2.5, 0.4, 0]])
    camera.fit(near, model, 1.5)
    assert (camera.lookat, camera.distance) == home
    camera.fit(far, model, 1.5)
    scene, picture = mujoco.MjvCamera(), mujoco.MjvScene(model, 100)
    camera.write(scene, model, mujoco.mjtCamera.mjCAMERA_FREE.value, mujoco.mjtCamera.mjCAMERA_FIXED.value)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, scene, 7, picture)
    eye = picture.camera[0]  # of MuJoCo's own frustum
    right = np.cross(eye.forward, eye.up)
    for place in far - np.array(eye.pos):
        depth = place @ eye.forward / eye.frustum_near
        assert abs(place @ eye.up) < depth * eye.frustum_top and abs(place @ right) < 1.5 * depth * eye.frustum_top
    camera.fit(near, model, 1.5)
    assert (camera.lookat, camera.distance) == home
    camera.fit(100 * far, model, 1.5)
    assert camera.mode == FOLLOW and camera.distance == home[1]
    camera.fit(far, model, 1.5)
    assert camera.mode == FREE and camera.distance > home[1]
    camera.fit(near, model, 1.5)
    camera.zoom(1)
    camera.fit(far, model, 1.5)
    assert camera.distance == pytest.approx(0.9 * home[1])


def test_camera_follows_the_selected_body() -> None:
    player = FakePlayer()
    camera = OrbitCamera()
    camera.frame(player.model)
    camera.mode = FOLLOW
    held = mujoco.MjvPerturb()
    for chosen, followed in ((0, moving_body(player.model)), (1, 1)):
        held.select = chosen
        camera.track(held if chosen else None)
        camera.lookat = np.array([3.0, 0, 0])
        for _ in range(100):
            camera.advance(player.data)
        np.testing.assert_allclose(camera.lookat, player.data.xpos[followed], atol=0.01)


def test_camera_follows_the_body_behind_the_most_joints() -> None:
    player = FakePlayer()
    body = moving_body(player.model)
    assert player.model.body(body).name == "arm"
    camera = OrbitCamera()
    camera.frame(player.model)
    camera.mode = FOLLOW
    camera.lookat = np.array([3.0, 0, 0])
    for _ in range(100):
        camera.advance(player.data)
    np.testing.assert_allclose(camera.lookat, player.data.xpos[body], atol=0.01)
    assert camera_names(player.model) == ["front", "top"]


def test_a_walker_is_followed_unless_a_person_chose_otherwise() -> None:
    walker = mujoco.MjModel.from_xml_string(
        "<mujoco><statistic extent='8'/><worldbody><body name='torso'><freejoint/><geom size='0.1'/>"
        "<body><joint/><geom size='0.1'/></body><body><joint/><geom size='0.1'/></body></body></worldbody></mujoco>"
    )
    data, camera = mujoco.MjData(walker), OrbitCamera()
    camera.frame(walker)
    assert camera.mode == FOLLOW and camera.distance == 4
    data.qpos[0] = 50.0
    mujoco.mj_forward(walker, data)
    for _ in range(100):
        camera.advance(data)
    assert camera.lookat[0] == pytest.approx(50, abs=0.1)
    camera.frame(FakePlayer().model)
    assert camera.mode == FREE, "an arm stays in its place"
    camera.choose(FREE)
    camera.frame(walker)
    assert camera.mode == FREE
