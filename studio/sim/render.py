"""Camera images of many simulations, rendered lean: no shadows, samples, reflections or sky; several to a page.

A renderer belongs to the thread that made it.
"""

from __future__ import annotations

import copy
import threading

import mujoco
import numpy as np

from studio.errors import StudioError

PAGE = 512  # px; images are drawn as tiles of one framebuffer, which is read back once
FULL_TURN_SLICES = 12
_OWN = threading.local()  # .context: each thread's GL context
_MAKING = threading.Lock()  # MuJoCo's EGL binding keeps global state while it makes a context
PLANE = (20.0, 20.0, 20.0)  # m: half-widths and the spacing of a floor's subdivisions


class CameraRenderer:
    """Renders one camera of a model for many states.

    Args:
        model: the compiled scene. It is copied, with shadows and multisampling off.
        camera: name of the camera.
        size: width and height of an image, px.

    Raises:
        StudioError: the model has no such camera, or no GL context can be made.
    """

    def __init__(self, model: mujoco.MjModel, camera: str, size: int) -> None:
        index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
        if index < 0:
            names = ", ".join(model.camera(i).name for i in range(model.ncam)) or "none"
            raise StudioError(f"There is no camera '{camera}'.", "camera", f"The model's cameras: {names}.")
        self.size = size
        self._camera = index
        self._per_row = max(1, PAGE // size)
        self._model = lean_copy(model, self._per_row * size)
        self._data = mujoco.MjData(self._model)
        self._nominal_pos = self._model.cam_pos[index].copy()
        self._nominal_fovy = float(self._model.cam_fovy[index])
        page = self._per_row * size
        self._gl = thread_context()
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
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
        self._view.fixedcamid = index
        self._pixels = np.empty((page, page, 3), np.uint8)

    def render(
        self,
        qpos: np.ndarray,
        mocap_pos: np.ndarray,
        position_offset: np.ndarray | None = None,
        fovy: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draws each state.

        Args:
            qpos: (n, nq).
            mocap_pos: (n, mocap bodies, 3), m.
            position_offset: (n, 3), m, added to the camera's position.
            fovy: (n,), vertical field of view, degrees.

        Returns:
            (n, size, size, 3) uint8.
        """
        self._gl.make_current()
        n, size, per_row = len(qpos), self.size, self._per_row
        images = np.empty((n, size, size, 3), np.uint8)
        per_page = per_row * per_row
        for start in range(0, n, per_page):
            count = min(per_page, n - start)
            for tile in range(count):
                i = start + tile
                self._pose(qpos[i], mocap_pos[i])
                if position_offset is not None:
                    self._model.cam_pos[self._camera] = self._nominal_pos + position_offset[i]
                if fovy is not None:
                    self._model.cam_fovy[self._camera] = fovy[i]
                mujoco.mj_camlight(self._model, self._data)
                mujoco.mjv_updateScene(
                    self._model, self._data, self._option, None, self._view,
                    mujoco.mjtCatBit.mjCAT_ALL.value, self._scene,
                )  # fmt: skip
                rect = mujoco.MjrRect((tile % per_row) * size, (tile // per_row) * size, size, size)
                mujoco.mjr_render(rect, self._scene, self._context)
            rows = -(-count // per_row)
            page = mujoco.MjrRect(0, 0, per_row * size, rows * size)
            pixels = self._pixels[: rows * size]
            mujoco.mjr_readPixels(pixels, None, page, self._context)
            tiles = pixels.reshape(rows, size, per_row, size, 3).swapaxes(1, 2).reshape(-1, size, size, 3)
            images[start : start + count] = tiles[:count, ::-1]  # GL's origin is the lower left corner
        return images

    def _pose(self, qpos: np.ndarray, mocap_pos: np.ndarray) -> None:
        self._data.qpos[:] = qpos
        self._data.mocap_pos[:] = mocap_pos
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)

    def close(self) -> None:
        """Frees what lies in the thread's GL context; call it on the thread that made the renderer."""
        self._gl.make_current()
        self._context.free()


def thread_context() -> mujoco.GLContext:
    """This thread's offscreen GL context, made at its first use and now current.

    One for all renderers of a thread: making one takes half a second with software GL, and leaves memory behind.
    Pictures are drawn into MuJoCo's own framebuffers, so its size does not matter.

    Raises:
        StudioError: the machine has no GL.
    """
    try:
        context = getattr(_OWN, "context", None)
        if context is None:
            with _MAKING:
                context = _OWN.context = mujoco.GLContext(16, 16)
        context.make_current()
    except Exception as error:
        raise StudioError(
            f"No OpenGL context can be made ({error}).",
            "",
            "Install Mesa's drivers: sudo apt-get install libegl1 libgl1-mesa-dri (or set MUJOCO_GL=osmesa).",
        ) from error
    return context


def lean_copy(model: mujoco.MjModel, page: int) -> mujoco.MjModel:
    """A copy that renders cheaply: MuJoCo's defaults (4096 px shadow map, 4 samples) cost 20 times more."""
    lean = copy.copy(model)
    lean.vis.global_.offwidth = max(page, 16)
    lean.vis.global_.offheight = max(page, 16)
    lean.vis.quality.shadowsize = 0
    lean.vis.quality.offsamples = 0
    lean.vis.quality.numslices = FULL_TURN_SLICES
    lean.vis.quality.numstacks = FULL_TURN_SLICES // 2
    lean.mat_reflectance[:] = 0
    # an infinite plane is drawn as thousands of quads and costs more than all the rest: a finite one of few is enough
    lean.geom_size[lean.geom_type == mujoco.mjtGeom.mjGEOM_PLANE] = PLANE
    return lean
