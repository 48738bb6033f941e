"""Camera images of many simulations, drawn by several threads without shadows, samples, reflections or sky.

Each picture fills a framebuffer of its own size, so that it depends on its own state alone, bit for bit: as a tile of a
larger framebuffer, some pixels would change with its place there.
"""

from __future__ import annotations

import copy
import itertools
import weakref
from collections.abc import Collection, Mapping
from functools import partial

import mujoco
import numpy as np

from studio.cores import cores
from studio.errors import StudioError
from studio.sim.randomization.visual import Appearance, VisualParams, VisualTarget
from studio.sim.render.gl import OFFSCREEN, choose_gl_backend, no_gl, thread_context
from studio.sim.render.pool import Drawers, Job, Worker, render_pool

Array = np.ndarray

BLOCK = 4  # pictures that a thread takes at a time
MAX_WORKERS = 4  # more gain little: the rasterizer of software GL serves one thread of a process at a time
FULL_TURN_SLICES = 12
PLANE = (20.0, 20.0, 20.0)  # m: half-widths and the spacing of a floor's subdivisions
_KEYS = itertools.count()


class CameraRenderer:
    """Renders one camera of a model for many states. Used and closed on the thread that made it.

    Args:
        model: the compiled scene. It is copied, with shadows and multisampling off.
        camera: name of the camera.
        size: width and height of an image, px.
        workers: threads that draw, this one among them; 0: one for each core, at most ``MAX_WORKERS``. The images are
            the same, bit for bit, with any number.
        keep: names of bodies and geoms whose colors never vary.

    Raises:
        StudioError: the model has no such camera, body or geom, or no GL context can be made.
    """

    def __init__(
        self, model: mujoco.MjModel, camera: str, size: int, workers: int = 0, keep: Collection[str] = ()
    ) -> None:
        index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
        if index < 0:
            names = ", ".join(model.camera(i).name for i in range(model.ncam)) or "none"
            raise StudioError(f"There is no camera '{camera}'.", "camera", f"The model's cameras: {names}.")
        self.size, self._camera = size, index
        self.workers = workers or default_workers()
        self._model = lean_copy(model, size)
        self._appearance = Appearance(self._model, index, keep)
        self._drawer = _Drawer(self._model, index, size)
        self._key = next(_KEYS)
        self._workers: list[Worker] = []
        self._shutdown = weakref.finalize(self, _free_all, self._workers, self._key)
        self._shutdown.atexit = False  # at the end of the program workers free all they have

    def render(
        self,
        qpos: Array,
        mocap_pos: Array,
        visuals: Mapping[str, Array] | None = None,
        mocap_quat: Array | None = None,
    ) -> Array:
        """Return a picture of each state.

        Args:
            qpos: (n, nq).
            mocap_pos: (n, mocap bodies, 3), m.
            visuals: what differs in each picture from the model's own look.
            mocap_quat: (n, mocap bodies, 4), w first; None: as in the model.

        Returns:
            (n, size, size, 3) uint8.
        """
        n = len(qpos)
        images = np.empty((n, self.size, self.size, 3), np.uint8)
        looks = VisualParams(self._appearance, visuals or {}, n)
        states = (qpos, mocap_pos, mocap_quat)
        job = Job(n, BLOCK)
        if n > BLOCK and self.workers > 1:
            # never more workers than blocks
            pool = render_pool(min(self.workers, -(-n // BLOCK)) - 1)
            self._workers += [worker for worker in pool if worker not in self._workers]
            make = partial(_Drawer, self._model, self._camera, self.size)
            for worker in pool:
                worker.submit(partial(_draw_rest, self._key, make, job, states, looks, images))
        job.work(partial(self._drawer.bind().draw, states, looks, images))
        job.wait()
        return images

    def close(self) -> None:
        """Free what is in the threads' GL contexts; call it on the thread that made the renderer."""
        self._shutdown()
        self._drawer.close()


class _Drawer:
    """What one thread needs to draw one renderer's pictures. Belongs to that thread."""

    def __init__(self, model: mujoco.MjModel, camera: int, size: int) -> None:
        self._model = copy.copy(model)  # its look changes from picture to picture
        self._target = VisualTarget(self._model, camera)
        self._data = mujoco.MjData(self._model)
        self._mocap_quat = self._data.mocap_quat.copy()
        self._gl = thread_context()
        try:
            self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        except mujoco.FatalError as error:  # GLFW without a display fails as late as this
            raise no_gl(error) from error
        self._scene = mujoco.MjvScene(self._model, maxgeom=2_000)
        for flag in (
            mujoco.mjtRndFlag.mjRND_SHADOW,
            mujoco.mjtRndFlag.mjRND_REFLECTION,
            mujoco.mjtRndFlag.mjRND_SKYBOX,
            mujoco.mjtRndFlag.mjRND_HAZE,
        ):
            self._scene.flags[flag] = False
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:] = 0
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = camera
        self._everything = mujoco.mjtCatBit.mjCAT_ALL.value
        self._frame = mujoco.MjrRect(0, 0, size, size)
        self._pixels = np.empty((size, size, 3), np.uint8)

    def bind(self) -> _Drawer:
        """Make the thread's GL context current and bind this drawer's framebuffer."""
        self._gl.make_current()
        # another renderer of this thread may have bound its own since
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        return self

    def draw(self, states: tuple[Array, Array, Array | None], looks: VisualParams, images: Array, i: int) -> None:
        """Draw state ``i`` into image ``i``."""
        model, data, scene = self._model, self._data, self._scene
        qpos, mocap_pos, mocap_quat = states
        data.qpos[:] = qpos[i]
        data.mocap_pos[:] = mocap_pos[i]
        data.mocap_quat[:] = self._mocap_quat if mocap_quat is None else mocap_quat[i]
        looks.apply(i, self._target)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)  # what cameras and lights that track a center of mass look at
        mujoco.mj_camlight(model, data)
        looks.move_lights(i, data)
        mujoco.mjv_updateScene(model, data, self._option, None, self._view, self._everything, scene)
        mujoco.mjr_render(self._frame, scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._frame, self._context)
        images[i] = self._pixels[::-1]  # GL's origin is the lower left corner

    def close(self) -> None:
        """Free what is in the GL context."""
        self._gl.make_current()
        self._context.free()


def _draw_rest(
    key: int, make: partial[_Drawer], job: Job, states: tuple, looks: VisualParams, images: Array, drawers: Drawers
) -> None:
    """Draw, on a worker, the pictures that no other thread has taken."""
    if job.over:
        return
    try:
        drawer = drawers.get(key)
        if drawer is None:
            drawer = drawers[key] = make()
        drawer.bind()
    except BaseException as error:
        job.fail(error)
        return
    job.work(partial(drawer.draw, states, looks, images))


def _free(key: int, drawers: Drawers) -> None:
    drawer = drawers.pop(key, None)
    if drawer is not None:
        drawer.close()


def _free_all(pool: list[Worker], key: int) -> None:
    for worker in pool:
        worker.submit(partial(_free, key))


def default_workers() -> int:
    """Return how many threads draw: one for each core that this process may use, within ``MAX_WORKERS``.

    One alone where GL belongs to the main thread.
    """
    return min(cores(), MAX_WORKERS) if choose_gl_backend() in OFFSCREEN else 1


def lean_copy(model: mujoco.MjModel, size: int) -> mujoco.MjModel:
    """Return a copy that renders cheaply: MuJoCo's defaults (4096 px shadow map, 4 samples) cost 20 times more."""
    lean = copy.copy(model)
    lean.vis.global_.offwidth = max(size, 16)
    lean.vis.global_.offheight = max(size, 16)
    lean.vis.quality.shadowsize = 0
    lean.vis.quality.offsamples = 0
    lean.vis.quality.numslices = FULL_TURN_SLICES
    lean.vis.quality.numstacks = FULL_TURN_SLICES // 2
    lean.mat_reflectance[:] = 0
    # an infinite plane is drawn as thousands of quads and costs more than all the rest: a finite one of few is enough
    lean.geom_size[lean.geom_type == mujoco.mjtGeom.mjGEOM_PLANE] = PLANE
    return lean
