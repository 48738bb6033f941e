"""Where several poses of one robot coincide: poses that look alike, and single geoms that lie in the same place."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

Array = np.ndarray
LOOKS_ALIKE = 0.01  # extents of the model: no point of a geom lies farther from where it lies in the other pose


def groups_alike(model: mujoco.MjModel, poses: Sequence[Array] | Array) -> list[list[int]]:
    """Return the poses (nq,) by number in groups of those that look alike: like the first of their group."""
    alike: Array = np.all(_coincide(model, poses), -1)
    groups: list[list[int]] = []
    for pose in range(len(poses)):
        same = next((group for group in groups if alike[group[0], pose]), None)
        if same is None:
            groups.append([pose])
        else:
            same.append(pose)
    return groups


def repeated_geoms(model: mujoco.MjModel, poses: Sequence[Array] | Array) -> Array:
    """Return for each pose (nq,) which geoms an earlier pose has in the same place, (poses, ngeom) bool."""
    same = _coincide(model, poses)
    return np.array([same[:pose, pose].any(0) for pose in range(len(poses))], bool).reshape(len(poses), model.ngeom)


def _coincide(model: mujoco.MjModel, poses: Sequence[Array] | Array) -> Array:
    """Return whether two poses have a geom in the same place, (poses, poses, ngeom) bool."""
    data = mujoco.MjData(model)
    centers, turns = [], []
    for pose in poses:
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        centers.append(data.geom_xpos.copy())
        turns.append(data.geom_xmat.copy())
    at, turned = np.array(centers).reshape(-1, model.ngeom, 3), np.array(turns).reshape(-1, model.ngeom, 9)
    shifts = np.linalg.norm(at[:, None] - at[None], axis=-1)
    # a turn by an angle θ changes the rotation matrix by √8·sin(θ/2), and a point at distance r by 2·r·sin(θ/2)
    swings = model.geom_rbound * np.linalg.norm(turned[:, None] - turned[None], axis=-1) / np.sqrt(2)
    close: Array = shifts + swings < LOOKS_ALIKE * model.stat.extent
    return close
