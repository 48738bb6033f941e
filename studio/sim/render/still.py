"""A single picture of a model, in a GL context of its own."""

from __future__ import annotations

import mujoco
import numpy as np

from studio.sim.render.gl import new_context, no_gl

MAX_GEOMS = 10_000


def still(model: mujoco.MjModel, data: mujoco.MjData, camera: mujoco.MjvCamera, width: int, height: int) -> np.ndarray:
    """Return one picture, (height, width, 3) uint8; its GL context belongs to this call alone.

    Args:
        model: with an offscreen framebuffer of at least this size.
        width, height: px.

    Raises:
        StudioError: the machine has no GL.
    """
    gl = new_context()
    try:
        try:
            context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_150.value)
        except mujoco.FatalError as error:  # GLFW without a display fails as late as this
            raise no_gl(error) from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, context)
        scene = mujoco.MjvScene(model, maxgeom=MAX_GEOMS)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, camera, everything, scene)
        frame, pixels = mujoco.MjrRect(0, 0, width, height), np.empty((height, width, 3), np.uint8)
        mujoco.mjr_render(frame, scene, context)
        mujoco.mjr_readPixels(pixels, None, frame, context)
        context.free()
    finally:
        gl.free()
    return pixels[::-1]  # GL's origin is the lower left corner
