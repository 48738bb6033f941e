"""What a joint's actuator takes as its command: a position, a velocity, or something else such as a torque."""

from __future__ import annotations

from typing import Literal

import mujoco
import numpy as np

Command = Literal["position", "velocity", "other"]
OF_JOINT = (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT)
DIRECT = (mujoco.mjtDyn.mjDYN_NONE, mujoco.mjtDyn.mjDYN_FILTER, mujoco.mjtDyn.mjDYN_FILTEREXACT)


def command_of(model: mujoco.MjModel, actuator: int) -> Command:
    """Return what an actuator follows when it is commanded: its joint's position (rad or m), or its joint's velocity.

    A servo with a gear follows a multiple of them, and an integrated velocity is no velocity: these are "other", as
    torque motors, muscles and cylinders are.
    """
    gain, bias = model.actuator_gainprm[actuator], model.actuator_biasprm[actuator]
    servo = (
        model.actuator_gaintype[actuator] == mujoco.mjtGain.mjGAIN_FIXED
        and model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_AFFINE
        and int(model.actuator_dyntype[actuator]) in DIRECT
        and model.actuator_gear[actuator, 0] == 1
        and gain[0] > 0
        and bias[0] == 0
    )
    if servo and np.isclose(bias[1], -gain[0]):
        return "position"
    return "velocity" if servo and bias[1] == 0 and np.isclose(bias[2], -gain[0]) else "other"


def is_motor(model: mujoco.MjModel, actuator: int) -> bool:
    """Whether an actuator's command is a force, or a multiple of one."""
    return bool(
        model.actuator_gaintype[actuator] == mujoco.mjtGain.mjGAIN_FIXED
        and model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_NONE
        and int(model.actuator_dyntype[actuator]) in DIRECT
    )


def actuators_of(model: mujoco.MjModel, joint: int) -> list[int]:
    """Return the actuators that move a joint, those first that the studio can command: positions, then velocities."""
    found = [
        a for a in range(model.nu) if int(model.actuator_trntype[a]) in OF_JOINT and model.actuator_trnid[a, 0] == joint
    ]
    order: tuple[Command, ...] = ("position", "velocity", "other")
    return sorted(found, key=lambda a: order.index(command_of(model, a)))
