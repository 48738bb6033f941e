"""What a robot's joints must carry: inertia, gravity and springs over its range of poses, damping, friction."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

Array = np.ndarray

POSES = 64  # the default pose, and others drawn from the joints' ranges
SLIDE = 0.5  # m; how far a slide without limits is moved to either side
SEED = 20260101  # any fixed number: a model is opened with the same servos every time


@dataclass(frozen=True)
class JointLoads:
    """Loads of each joint of a chain, (joints,): SI units, of a hinge N·m and rad, of a slide N and m.

    ``inertia`` is a diagonal matrix that is at least the chain's mass matrix, couplings included, in every pose that
    was looked at: a joint's servo that is damped for it is damped whatever the other joints do.
    """

    inertia: Array
    holding: Array  # the largest force that keeps the joint still against gravity and springs
    damping: Array
    friction: Array


def joint_loads(model: mujoco.MjModel, chain: list[int]) -> JointLoads:
    """Return the loads of a chain's joints; joints outside the chain stay in their default pose."""
    data = mujoco.MjData(model)
    dofs = model.jnt_dofadr[chain]
    masses, holding = [], np.zeros(len(chain))
    bias, mass = np.zeros(model.nv), np.zeros((model.nv, model.nv))
    for pose in _poses(model, chain):
        data.qpos[model.jnt_qposadr[chain]] = pose
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_tendon(model, data)
        mujoco.mj_makeM(model, data)
        mujoco.mj_fullM(model, data, mass)
        masses.append(mass[np.ix_(dofs, dofs)].copy())
        mujoco.mj_rne(model, data, 0, bias)
        mujoco.mj_passive(model, data)
        holding = np.maximum(holding, np.abs(bias - data.qfrc_passive)[dofs])
    largest = np.max([np.diag(m) for m in masses], 0)
    scale = np.sqrt(largest)
    coupling = max(float(np.linalg.eigvalsh(m / np.outer(scale, scale))[-1]) for m in masses)
    return JointLoads(coupling * largest, holding, model.dof_damping[dofs].copy(), model.dof_frictionloss[dofs].copy())


def pose_range(model: mujoco.MjModel, chain: list[int]) -> tuple[Array, Array]:
    """Return the lower and upper ends of a chain's poses, (joints,) each, rad or m; joints without limits get some."""
    limited = model.jnt_limited[chain].astype(bool)
    turns = model.jnt_type[chain] == mujoco.mjtJoint.mjJNT_HINGE
    default = model.qpos0[model.jnt_qposadr[chain]]
    way = np.where(turns, np.pi, SLIDE)
    low = np.where(limited, model.jnt_range[chain, 0], default - way)
    return low, np.where(limited, model.jnt_range[chain, 1], default + way)


def _poses(model: mujoco.MjModel, chain: list[int]) -> Array:
    """Pose of the chain, (POSES, joints): the default one, and others within the joints' ranges."""
    drawn = np.random.default_rng(SEED).uniform(*pose_range(model, chain), (POSES - 1, len(chain)))
    return np.concatenate([model.qpos0[model.jnt_qposadr[chain]][None], drawn])
