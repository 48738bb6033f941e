"""Marks of goals that stand on slides, as those of Gymnasium's arms do: a hand puts them where it likes."""

from __future__ import annotations

import mujoco
import numpy as np

Array = np.ndarray
SLIDE, JOINT = int(mujoco.mjtJoint.mjJNT_SLIDE), int(mujoco.mjtTrn.mjTRN_JOINT)


def sliding_marks(model: mujoco.MjModel) -> dict[int, Array]:
    """Bodies that slide over the world at right angles and level, and of which physics has no hold: nothing drives,
    springs, ties or touches them, and nothing hangs on them. Each with its two joints. A hand puts them anywhere."""
    if model.neq or model.npair or (model.actuator_trntype != JOINT).any():
        return {}  # of these it takes more to say what they hold
    driven, found = {int(joint) for joint in model.actuator_trnid[:, 0]}, {}
    for body in range(1, model.nbody):
        joints = model.body_jntadr[body] + np.arange(model.body_jntnum[body])
        geoms = model.body_geomadr[body] + np.arange(model.body_geomnum[body])
        if len(joints) != 2 or not len(geoms) or model.body_parentid[body] or (model.body_parentid == body).any():
            continue
        touches = (model.geom_contype[geoms] | model.geom_conaffinity[geoms]).any()
        held = model.jnt_stiffness[joints].any() or not driven.isdisjoint(joints.tolist())
        (x, y), slides = model.jnt_axis[joints], (model.jnt_type[joints] == SLIDE).all()
        level = abs(x @ y) + abs(x[2]) + abs(y[2]) < 1e-6 and np.allclose(model.body_quat[body], [1, 0, 0, 0])
        if slides and level and not touches and not held:
            found[body] = joints
    return found


def slid(model: mujoco.MjModel, data: mujoco.MjData, body: int, joints: Array, to: Array) -> Array:
    """Return a mark's slide positions, (joints,) m, that bring its center of mass to ``to`` (3,), as far as their axes
    reach there and their ranges allow."""
    found = data.qpos[model.jnt_qposadr[joints]] + data.xaxis[joints] @ (to - data.xipos[body])
    low, high = model.jnt_range[joints].T
    return np.where(model.jnt_limited[joints].astype(bool), np.clip(found, low, high), found)
