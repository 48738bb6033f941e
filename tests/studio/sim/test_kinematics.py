"""Damped least squares, against its definition and against the simulated arm itself."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of
from studio.sim.kinematics import damped_least_squares
from studio.sim.scene import build

DAMPING = 0.05


def by_svd(jacobian: np.ndarray, error: np.ndarray, damping: float) -> np.ndarray:
    """Buss 2004, eq. 13: Σ σ/(σ² + λ²) v uᵀ e."""
    u, sigma, vt = np.linalg.svd(jacobian, full_matrices=False)
    return vt.T @ (sigma / (sigma**2 + damping**2) * (u.T @ error))


@pytest.mark.parametrize("joints", [3, 6, 7])
def test_it_is_the_svd_formula(joints: int) -> None:
    rng = np.random.default_rng(joints)
    jacobian, error = rng.normal(size=(8, 3, joints)), rng.normal(size=(8, 3))
    jacobian[0, 2] = jacobian[0, 1]  # a singular pose
    found = damped_least_squares(jacobian, error, damping=DAMPING)
    wanted = np.stack([by_svd(j, e, DAMPING) for j, e in zip(jacobian, error, strict=True)])
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_posture_moves_in_the_null_space_alone() -> None:
    rng = np.random.default_rng(0)
    jacobian, posture = rng.normal(size=(8, 3, 7)), rng.normal(size=(8, 7))
    step = damped_least_squares(jacobian, np.zeros((8, 3)), posture, damping=1e-4)
    moved = np.einsum("nij,nj->ni", jacobian, step)
    assert np.abs(moved).max() < 1e-6
    pinv = np.linalg.pinv(jacobian)
    projected = posture - np.einsum("nij,njk,nk->ni", pinv, jacobian, posture)
    np.testing.assert_allclose(step, projected, atol=1e-6)
    assert np.abs(step).max() > 0.1


@pytest.mark.parametrize("robot", ["franka_7dof", "ur5_6dof"])
def test_a_small_step_moves_the_arm_as_asked(robot: str) -> None:
    """The Jacobian by finite differences of the model's own kinematics, and the step put back into them."""
    scene = build(embodiment_of(Domain(embodiment=robot), Registry()))
    model, limb = scene.model, scene.limbs[0]
    data = mujoco.MjData(model)

    def place(joints: np.ndarray) -> np.ndarray:
        data.qpos[:] = scene.home_qpos
        data.qpos[limb.qpos] = joints
        mujoco.mj_kinematics(model, data)
        return data.site_xpos[limb.site].copy()

    home, h = scene.home_qpos[limb.qpos], 1e-6
    basis = np.eye(len(home)) * h
    numeric = np.stack([(place(home + b) - place(home - b)) / (2 * h) for b in basis], 1)
    place(home)
    mujoco.mj_comPos(model, data)
    analytic = np.empty((3, model.nv))
    mujoco.mj_jacSite(model, data, analytic, None, limb.site)
    np.testing.assert_allclose(numeric, analytic[:, limb.dofs], atol=1e-6)
    wanted = np.array([0.003, -0.002, 0.004])
    step = damped_least_squares(numeric[None], wanted[None], damping=1e-3)[0]
    np.testing.assert_allclose(place(home + step) - place(home), wanted, atol=2e-4)
