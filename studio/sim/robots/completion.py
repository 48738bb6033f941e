"""What a model lacks to be used as a robot: a site at its tip, a camera."""

from __future__ import annotations

import mujoco
import numpy as np

FRONT = ("front", (1.16, 0.0, 0.66), (0.4, 0.0, 0.1), 58.0)  # name, position and target (m), field of view (degrees)


def complete(spec: mujoco.MjSpec, model: mujoco.MjModel, tip: int) -> list[str]:
    """Adds what is missing to the spec: a site at the tip, a front camera. Returns what was, in sentences."""
    changes = []
    if not any(model.site_bodyid[i] == tip and model.site(i).name for i in range(model.nsite)):
        spec.body(model.body(tip).name).add_site(name="studio_tip", size=[0.005, 0, 0], pos=model.body_ipos[tip])
        changes.append(f"A site marks the end of the arm, at the body '{model.body(tip).name}'.")
    if not any(model.camera(i).name for i in range(model.ncam)):
        name, place, target, fov = FRONT
        backward = np.subtract(place, target) / np.linalg.norm(np.subtract(place, target))
        right = np.cross((0, 0, 1), backward)
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(backward, right), backward], 1)
        turn = np.empty(4)
        mujoco.mju_mat2Quat(turn, axes.ravel())
        spec.worldbody.add_camera(name=name, pos=place, quat=turn, fovy=fov)
        changes.append(f"A camera '{name}' was added.")
    return changes
