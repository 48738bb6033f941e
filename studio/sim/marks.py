"""Marks of goals that stand on slides, as those of Gymnasium's arms do: a hand puts them where it likes."""

from __future__ import annotations

import mujoco
import numpy as np

Array = np.ndarray
SLIDE = int(mujoco.mjtJoint.mjJNT_SLIDE)


def sliding_marks(model: mujoco.MjModel) -> dict[int, Array]:
    """Bodies that slide freely over the world and touch nothing, each with its joints: two or more, all of them slides,
    none of them driven. Physics has no hold of them, so a hand puts them where it wants them."""
    driven = {int(joint) for joint in model.actuator_trnid[:, 0]}
    found = {}
    for body in range(1, model.nbody):
        first, count = model.body_jntadr[body], model.body_jntnum[body]
        joints = np.arange(first, first + count)
        geoms = model.body_geomadr[body] + np.arange(model.body_geomnum[body])
        touches = bool((model.geom_contype[geoms] | model.geom_conaffinity[geoms]).any())
        slides = count >= 2 and bool((model.jnt_type[joints] == SLIDE).all()) and driven.isdisjoint(joints.tolist())
        if slides and len(geoms) and not touches and model.body_parentid[body] == 0:
            found[body] = joints
    return found


def slid(model: mujoco.MjModel, data: mujoco.MjData, body: int, joints: Array, to: Array) -> Array:
    """Positions of a mark's slides, (joints,) m, that bring the middle of its mass to ``to`` (3,), as far as their axes
    reach there and their ranges allow. Its axes are at right angles."""
    found = data.qpos[model.jnt_qposadr[joints]] + data.xaxis[joints] @ (to - data.xipos[body])
    low, high = model.jnt_range[joints].T
    return np.where(model.jnt_limited[joints].astype(bool), np.clip(found, low, high), found)
