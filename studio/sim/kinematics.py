"""Damped least squares inverse kinematics, batched."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def damped_least_squares(jacobian: Array, error: Array, posture: Array | None = None, damping: float = 0.05) -> Array:
    """Joint step that moves a point by ``error``: dq = Jᵀ(JJᵀ + λ²I)⁻¹e + (I − J⁺J)·posture.

    Args:
        jacobian: (n, m, joints), m/rad or m/m.
        error: (n, m), wanted motion of the point.
        posture: (n, joints), a step to make as far as it does not move the point; None for none.
        damping: λ. Larger is slower near singular poses and safer.

    Returns:
        (n, joints), rad or m.

    Source: Nakamura and Hanafusa 1986; Buss, "Introduction to inverse kinematics", 2004, eq. 11.
    """
    # the layout decides which routine multiplies, and so the last bit: the same for one simulation as among many
    jacobian = np.ascontiguousarray(jacobian)
    transposed = np.swapaxes(jacobian, 1, 2)
    gram = jacobian @ transposed + damping**2 * np.eye(jacobian.shape[1])
    step = transposed @ np.linalg.solve(gram, error[..., None])
    if posture is not None:
        # the damped projector leaves a little motion of the point, which the next step takes back
        projected = transposed @ np.linalg.solve(gram, jacobian @ posture[..., None])
        step = step + posture[..., None] - projected
    return np.asarray(step[..., 0])
