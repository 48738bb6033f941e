"""Actuators of the joints that the studio moves, and the servos it adds where there are none."""

from __future__ import annotations

import mujoco
import numpy as np


def add_servos(spec: mujoco.MjSpec, model: mujoco.MjModel, chain: list[int]) -> bool:
    """Gives each joint of the chain that has no actuator a position servo. Returns whether any was added."""
    added = False
    for joint in chain:
        if not actuator_of(model, joint):
            inertia = float(np.sum(model.body_subtreemass[model.jnt_bodyid[joint]])) * 0.05 + 0.05
            stiffness = inertia * 400  # a servo of about 20 rad/s, critically damped
            servo = spec.add_actuator(name=f"studio_{model.joint(joint).name}", target=model.joint(joint).name)
            servo.trntype = mujoco.mjtTrn.mjTRN_JOINT
            servo.set_to_position(kp=stiffness, kv=2 * float(np.sqrt(stiffness * inertia)))
            added = True
    return added


def actuator_of(model: mujoco.MjModel, joint: int) -> str:
    """Return the name of the actuator that moves a joint; empty where there is none."""
    for i in range(model.nu):
        if model.actuator_trntype[i] == mujoco.mjtTrn.mjTRN_JOINT and model.actuator_trnid[i, 0] == joint:
            return model.actuator(i).name
    return ""
