"""Camera images: the same from any number of workers, in any company; what varies their look, and what leaves it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from functools import partial
from typing import Any

import numpy as np
import pytest

from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.render import pool
from studio.sim.render import renderer as render
from studio.sim.render.gl import thread_context
from studio.sim.render.renderer import CameraRenderer
from tests import tiny

Array = np.ndarray
mujoco: Any = pytest.importorskip("mujoco")

SIZE = 48
SCENE = """
<mujoco>
  <visual><headlight ambient="0.1 0.1 0.1" diffuse="0.2 0.2 0.2" specular="0 0 0"/></visual>
  <asset>
    <texture name="checks" type="2d" builtin="checker" rgb1="0.7 0.7 0.7" rgb2="0.5 0.5 0.5" width="32" height="32"/>
    <material name="floor" texture="checks"/>
    <material name="shared" rgba="0.7 0.5 0.3 1"/>
  </asset>
  <worldbody>
    {lights}
    <camera name="front" pos="0 -2 1.6" xyaxes="1 0 0 0 0.6 0.8" fovy="45"/>
    <geom name="floor" type="plane" size="0 0 0.1" material="floor"/>
    <body name="ball" mocap="true" pos="-0.4 0 0.2"><geom type="sphere" size="0.2" material="shared"/></body>
    <body name="box" mocap="true" pos="0.4 0 0.2"><geom type="box" size="0.25 0.1 0.1" material="shared"/>
      <body name="lid" pos="0 0 0.15"><geom name="lid" type="box" size="0.1 0.1 0.05" rgba="0.2 0.4 0.8 1"/></body>
    </body>
    <body><joint name="slide" type="slide" axis="1 0 0"/><geom name="post" type="capsule" fromto="0 .5 0 0 .5 .5"
      size="0.08" rgba="1 1 1 1"/></body>
  </worldbody>
</mujoco>"""
SUN = '<light name="sun" type="directional" pos="1 -1 3" dir="-0.3 0.3 -1" diffuse="0.4 0.4 0.4" specular="0 0 0"/>'
LAMP = '<light name="lamp" type="spot" pos="0 -0.5 2" dir="0 0 -1" diffuse="0.5 0.5 0.5" specular="0 0 0"/>'


def scene(lights: str = SUN) -> Any:
    return mujoco.MjModel.from_xml_string(SCENE.format(lights=lights))


def states(model: Any, n: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    mocap = np.zeros((n, model.nmocap, 3))
    mocap[:] = model.body_pos[model.body_mocapid >= 0]
    return rng.uniform(-0.5, 0.5, (n, model.nq)), mocap + rng.uniform(-0.1, 0.1, mocap.shape)


def arm(robot: str, n: int) -> tuple[Any, Array, Array]:
    """A reach scene and ``n`` of its states."""
    from studio.sim.scene import build

    domain, registry = Domain(embodiment=robot), Registry()
    built = build(embodiment_of(domain, registry), task_of(domain, registry))
    rng = np.random.default_rng(0)
    qpos = np.repeat(built.home_qpos[None], n, 0)
    qpos[:, built.limbs[0].qpos] += rng.uniform(-0.3, 0.3, (n, len(built.limbs[0].qpos)))
    balls = rng.uniform([0.3, -0.3, 0.03], [0.6, 0.3, 0.04], (n, built.model.nmocap, 3))
    return built.model, qpos, balls


def mean(image: Array) -> float:
    return float(image.astype(float).mean())


# -- workers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("robot", ["franka_7dof", "ur5_6dof"])
def test_any_number_of_workers_draws_the_same_images(robot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, qpos, mocap = arm(robot, 60)
    rng = np.random.default_rng(1)
    visuals = {
        "camera_position": rng.uniform(-0.05, 0.05, (60, 3)),
        "camera_fov": rng.uniform(50, 70, 60),
        "light_position": rng.uniform(-1, 1, (60, 3)),
        "light_intensity": rng.uniform(0.5, 1.5, 60),
        "color": rng.uniform(0.5, 1.5, (60, 3)),
    }
    alone = CameraRenderer(model, "front", SIZE, workers=1)
    plain, varied = alone.render(qpos, mocap), alone.render(qpos, mocap, visuals)
    alone.close()
    assert len(np.unique(plain.reshape(60, -1), axis=0)) == 60
    drew: set[str] = set()
    draw = render._Drawer.draw

    def noting(self: Any, *arguments: Any) -> None:
        drew.add(threading.current_thread().name)
        time.sleep(0.001)  # so that one of them cannot have drawn all before another begins
        draw(self, *arguments)

    monkeypatch.setattr(render._Drawer, "draw", noting)
    together = CameraRenderer(model, "front", SIZE, workers=3)
    end = time.monotonic() + 30
    while len(drew) < 3 and time.monotonic() < end:  # the first pictures are drawn before the workers are ready
        np.testing.assert_array_equal(together.render(qpos, mocap), plain)
    assert len(drew) == 3
    np.testing.assert_array_equal(together.render(qpos, mocap, visuals), varied)
    np.testing.assert_array_equal(together.render(qpos, mocap), plain)
    together.close()


def test_an_image_depends_on_its_own_state_alone() -> None:
    model, qpos, mocap = arm("ur5_6dof", 20)
    renderer = CameraRenderer(model, "front", 64, workers=1)
    together = renderer.render(qpos, mocap)
    for i in (0, 7, 19):
        np.testing.assert_array_equal(renderer.render(qpos[i : i + 1], mocap[i : i + 1])[0], together[i])
    same = renderer.render(np.repeat(qpos[3:4], 30, 0), np.repeat(mocap[3:4], 30, 0))
    assert np.all(same == together[3])
    renderer.close()


def test_renderers_of_one_thread_keep_their_framebuffers() -> None:
    first = CameraRenderer(scene(), "front", SIZE, workers=1)
    qpos, mocap = states(scene(), 2)
    images = first.render(qpos, mocap)
    other = CameraRenderer(scene(LAMP), "front", 32, workers=1)
    small = other.render(qpos, mocap)
    for _ in range(2):
        np.testing.assert_array_equal(first.render(qpos, mocap), images)
        np.testing.assert_array_equal(other.render(qpos, mocap), small)
    other.close()
    np.testing.assert_array_equal(first.render(qpos, mocap), images)
    first.close()


def test_workers_drop_a_renderer_that_is_closed_or_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    close = render._Drawer.close

    def noting(self: Any) -> None:
        close(self)
        closed.append(threading.current_thread().name)

    monkeypatch.setattr(render._Drawer, "close", noting)
    qpos, mocap = states(scene(), 40)
    (worker,) = pool.render_pool(1)
    for how in ("closed", "forgotten"):
        renderer: CameraRenderer | None = CameraRenderer(scene(), "front", SIZE, workers=2)
        assert renderer is not None
        knows: list[bool] = []
        look = partial(_look, renderer._key, knows)
        while not any(knows):  # until the worker has drawn for it
            renderer.render(qpos, mocap)
            worker.submit(look)
        closed.clear()
        if how == "closed":
            renderer.close()
        renderer = None
        tiny.wait_for(lambda: "render-worker-1" in closed)


def _look(key: int, knows: list[bool], drawers: dict[int, Any]) -> None:
    knows.append(key in drawers)


def test_a_workers_error_reaches_the_caller() -> None:
    job = pool.Job(8, 2)

    def broken(row: int) -> None:
        if row == 3:
            raise StudioError("no picture")

    (worker,) = pool.render_pool(1)
    worker.submit(lambda _drawers: job.work(broken))
    tiny.wait_for(lambda: job.over)
    with pytest.raises(StudioError, match="no picture"):
        job.wait()
    done: list[int] = []  # the worker lives on
    later = pool.Job(8, 3)
    worker.submit(lambda _drawers: later.work(done.append))
    tiny.wait_for(lambda: later.over)
    later.wait()
    assert done == list(range(8))


def test_a_program_that_drew_with_workers_ends_cleanly() -> None:
    program = (
        "import mujoco, numpy as np, time\n"
        "from studio.sim.render.renderer import CameraRenderer\n"
        f"m = mujoco.MjModel.from_xml_string('''{SCENE.format(lights=SUN)}''')\n"
        "r = CameraRenderer(m, 'front', 32, 2)\n"
        "for _ in range(2):\n"
        "    r.render(np.zeros((40, 1)), np.zeros((40, 2, 3))); time.sleep(1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# -- looks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "nominal"),
    [
        ("camera_position", [0.1, 0, 0], [0.0, 0.0, 0.0]),
        ("camera_fov", 70.0, np.nan),
        ("light_position", [2.0, 0, 0], [0.0, 0.0, 0.0]),
        ("light_intensity", 0.6, 1.0),
        ("color", [0.6, 1, 1], [1.0, 1.0, 1.0]),
    ],
)
@pytest.mark.parametrize("lights", [SUN, LAMP, SUN + LAMP])
def test_visual_params_change_their_own_image_only(field: str, value: Any, nominal: Any, lights: str) -> None:
    model = scene(lights)
    qpos, mocap = states(model, 3)
    renderer = CameraRenderer(model, "front", SIZE, workers=1)
    plain = renderer.render(qpos, mocap)
    varied = renderer.render(qpos, mocap, {field: np.array([nominal, value, nominal])})
    np.testing.assert_array_equal(varied[[0, 2]], plain[[0, 2]])
    assert np.abs(varied[1].astype(int) - plain[1]).mean() > 0.5
    np.testing.assert_array_equal(renderer.render(qpos, mocap, {field: np.array([nominal] * 3)}), plain)
    np.testing.assert_array_equal(renderer.render(qpos, mocap), plain)
    np.testing.assert_array_equal(plain, _by_mujoco(model, qpos, mocap))
    renderer.close()


def _by_mujoco(model: Any, qpos: Array, mocap: Array) -> Array:
    """The same images by MuJoCo's own renderer of a model that is as lean."""
    lean = render.lean_copy(model, SIZE)
    data = mujoco.MjData(lean)
    pictures = []
    with mujoco.Renderer(lean, SIZE, SIZE) as renderer:
        for i in range(len(qpos)):
            data.qpos[:], data.mocap_pos[:] = qpos[i], mocap[i]
            mujoco.mj_forward(lean, data)
            renderer.update_scene(data, "front")
            for flag in ("SHADOW", "REFLECTION", "SKYBOX", "HAZE"):
                renderer.scene.flags[getattr(mujoco.mjtRndFlag, f"mjRND_{flag}")] = False
            pictures.append(renderer.render().copy())
    thread_context()
    return np.stack(pictures)


def test_intensity_scales_all_light() -> None:
    model = scene(SUN + LAMP)
    qpos, mocap = states(model, 3)
    renderer = CameraRenderer(model, "front", SIZE, workers=1)
    dark, half, plain = renderer.render(
        np.repeat(qpos[:1], 3, 0), np.repeat(mocap[:1], 3, 0), {"light_intensity": np.array([0.0, 0.5, 1.0])}
    )
    assert dark.max() == 0
    unclipped = plain < 255
    np.testing.assert_allclose(half[unclipped], plain[unclipped] / 2, atol=1)
    renderer.close()


def test_a_moved_sun_shines_from_where_it_was_moved_to() -> None:
    """From the left the box's left face is bright; from the right it is not."""
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><visual><headlight active="0"/></visual><statistic center="0 0 0" extent="1"/><worldbody>'
        '<light type="directional" pos="0 0 4" dir="0 0 -1" diffuse="0.8 0.8 0.8"/>'
        '<camera name="front" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/><geom type="sphere" size="0.8"/></worldbody></mujoco>'
    )
    renderer = CameraRenderer(model, "front", SIZE, workers=1)
    offsets = np.array([[-4.0, 0, -3], [4.0, 0, -3], [0, 0, 0]])
    left, right, above = renderer.render(np.zeros((3, 0)), np.zeros((3, 0, 3)), {"light_position": offsets})
    half = SIZE // 2
    assert mean(left[:, :half]) > 3 * mean(left[:, half:])
    assert mean(right[:, half:]) > 3 * mean(right[:, :half])
    assert mean(above[:half]) > 3 * mean(above[half:])
    renderer.close()


def test_colors_are_factors_on_all_but_what_is_kept() -> None:
    model = scene()
    _, mocap = states(model, 1)
    qpos = np.zeros((2, 1))
    mocap = np.repeat(mocap, 2, 0)
    factors = {"color": np.array([[1.0, 1.0, 1.0], [0.5, 0.5, 0.5]])}
    images: dict[Any, Array] = {}
    for keep in ((), ("ball",), ("lid",), ("box",), ("ball", "box")):
        renderer = CameraRenderer(model, "front", SIZE, workers=1, keep=keep)
        images[keep] = renderer.render(qpos, mocap, factors)
        renderer.close()
    plain = images[()][0]
    np.testing.assert_allclose(images[()][1], plain / 2, atol=1)  # post of (1, 1, 1) × 0.5 too: MuJoCo's "no color"
    for keep, pair in images.items():
        np.testing.assert_array_equal(pair[0], plain)
        same = np.all(pair[1] == plain, -1)
        where = {part: _pixels_of(model, qpos[0], mocap[0], part) for part in ("ball", "box", "lid")}
        kept = {"ball": "ball" in keep, "box": "box" in keep, "lid": "box" in keep or "lid" in keep}
        for part, pixels in where.items():
            assert pixels.sum() > 8
            assert same[pixels].mean() > 0.95 if kept[part] else same[pixels].mean() < 0.05, (keep, part)
        assert same[~(where["ball"] | where["box"] | where["lid"])].mean() < 0.2  # the floor's and the post's


def _pixels_of(model: Any, qpos: Array, mocap: Array, body: str) -> Array:
    """Where a body's own geoms are seen, away from edges."""
    data = mujoco.MjData(model)
    data.qpos[:], data.mocap_pos[:] = qpos, mocap
    mujoco.mj_forward(model, data)
    with mujoco.Renderer(model, SIZE, SIZE) as renderer:
        renderer.enable_segmentation_rendering()
        renderer.update_scene(data, "front")
        ids = renderer.render()[..., 0]
    thread_context()
    seen = np.isin(ids, np.flatnonzero(model.geom_bodyid == model.body(body).id))
    inner = seen.copy()
    for axis in (0, 1):
        inner &= np.roll(seen, 1, axis) & np.roll(seen, -1, axis)
    return np.asarray(inner)


def test_mocap_bodies_turn() -> None:
    model = scene()
    qpos, mocap = states(model, 2)
    renderer = CameraRenderer(model, "front", SIZE, workers=1)
    plain = renderer.render(qpos, mocap)
    quats = np.tile([1.0, 0, 0, 0], (2, 2, 1))
    quats[1, 1] = [np.sqrt(0.5), 0, 0, np.sqrt(0.5)]
    turned = renderer.render(qpos, mocap, mocap_quat=quats)
    np.testing.assert_array_equal(turned[0], plain[0])
    assert np.abs(turned[1].astype(int) - plain[1]).mean() > 1
    np.testing.assert_array_equal(renderer.render(qpos, mocap), plain)
    renderer.close()


def test_what_does_not_exist_is_said_plainly() -> None:
    with pytest.raises(StudioError, match="no camera 'side'") as caught:
        CameraRenderer(scene(), "side", SIZE)
    assert "front" in caught.value.remedy
    with pytest.raises(StudioError, match="no body or geom 'cup'"):
        CameraRenderer(scene(), "front", SIZE, keep=("cup",))
    renderer = CameraRenderer(scene(), "front", SIZE, workers=1)
    with pytest.raises(ValueError, match="colour"):
        renderer.render(*states(scene(), 1), {"colour": np.ones((1, 3))})
    renderer.close()


@pytest.mark.parametrize("backend", ["glfw", "egl"])
def test_no_gl_raises_studio_error(backend: str) -> None:
    """GLFW without a display, and EGL without a device."""
    program = (
        "import mujoco\n"
        "from studio.errors import StudioError\n"
        "from studio.sim.render.renderer import CameraRenderer\n"
        "m = mujoco.MjModel.from_xml_string('<mujoco><worldbody><camera name=\"c\"/></worldbody></mujoco>')\n"
        "try:\n"
        "    CameraRenderer(m, 'c', 32)\n"
        "except StudioError as error:\n"
        "    print(error.message, error.remedy)\n"
    )
    without = {"MUJOCO_GL": backend, "DISPLAY": "", "WAYLAND_DISPLAY": "", "MUJOCO_EGL_DEVICE_ID": "99"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | without, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("No OpenGL context can be created (") and "libegl1" in done.stdout, done.stderr
