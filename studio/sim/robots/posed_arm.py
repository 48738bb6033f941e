"""One chain of a model, posed without dynamics: where its tip is, and how joints move to bring it elsewhere."""

from __future__ import annotations

import mujoco
import numpy as np

from studio.sim.kinematics import damped_least_squares

Array = np.ndarray

POSTURE_GAIN = 0.1  # share of the way home that the null space takes in a step


class PosedArm:
    """A chain, its base and its length.

    ``base`` (3,), m: where the first joint is; ``length``, m: of the way from it through all joints to the tip.

    Args:
        joints: ids of hinges and slides, from the base to the tip.
        site: id of the tip's.
    """

    def __init__(self, model: mujoco.MjModel, joints: list[int], site: int) -> None:
        self.model, self.data, self.site = model, mujoco.MjData(model), site
        self.qpos, self.dofs = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
        limited = model.jnt_limited[joints].astype(bool)
        self.low = np.where(limited, model.jnt_range[joints, 0], -np.inf)
        self.high = np.where(limited, model.jnt_range[joints, 1], np.inf)
        self._couplings = _couplings(model)
        self._jacobian = np.zeros((3, model.nv))
        self.tip(model.qpos0)
        self.base = self.data.xanchor[joints[0]].copy()
        self.bodies = np.unique(model.jnt_bodyid[joints])
        points = np.stack([*self.data.xanchor[joints], self.data.site_xpos[site]])
        self.length = max(1e-3, float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum()))

    def tip(self, qpos: Array) -> Array:
        """Return the tip's position in a pose, (3,), m. Joints that an equality ties to others follow them."""
        data, model = self.data, self.model
        data.qpos[:] = qpos
        for follower, leader, polynomial in self._couplings:
            away = data.qpos[leader] - model.qpos0[leader]
            data.qpos[follower] = model.qpos0[follower] + np.polyval(polynomial[::-1], away)
        mujoco.mj_kinematics(model, data)
        return data.site_xpos[self.site].copy()

    def jacobian(self) -> Array:
        """Return the tip's Jacobian in the pose set last, (3, joints)."""
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_jacSite(self.model, self.data, self._jacobian, None, self.site)
        return self._jacobian[:, self.dofs]

    def move(self, qpos: Array, offset: Array, low: Array, high: Array, home: Array | None = None) -> Array:
        """Return the pose after a step of inverse kinematics, within ``low`` and ``high``; call :meth:`tip` before."""
        posture = None if home is None else POSTURE_GAIN * (home - qpos)[self.qpos][None]
        step = damped_least_squares(self.jacobian()[None], offset[None], posture)[0]
        moved = self.data.qpos.copy()
        moved[self.qpos] = np.clip(moved[self.qpos] + step, low, high)
        return moved


def _couplings(model: mujoco.MjModel) -> list[tuple[int, int, Array]]:
    """Return the joints that follow others: (follower, leader, polynomial), both as indices into ``qpos``."""
    found = []
    for equality in range(model.neq):
        first, second = int(model.eq_obj1id[equality]), int(model.eq_obj2id[equality])
        if model.eq_type[equality] == mujoco.mjtEq.mjEQ_JOINT and model.eq_active0[equality] and second >= 0:
            places = int(model.jnt_qposadr[first]), int(model.jnt_qposadr[second])
            found.append((*places, model.eq_data[equality, :5].copy()))
    return found
