"""Limits of the force that a model's motors and joints allow, and whether they can be those of the robot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np

from studio.sim.robots.actuators import is_motor
from studio.sim.robots.joint_loads import JointLoads

Limit = tuple[float, float]  # the least and the largest force, N or N·m

# how much more than holding the robot a limit must allow: a robot that can barely hold itself cannot move
MARGIN = 1.25


def force_limit(model: mujoco.MjModel, actuator: int) -> Limit | None:
    """Return the least and the largest force (N, N·m) that an actuator can put on its joint; None: it has no limits."""
    gear = float(model.actuator_gear[actuator, 0])
    limits = []
    if model.actuator_forcelimited[actuator]:
        limits.append(model.actuator_forcerange[actuator] * gear)
    if is_motor(model, actuator) and model.actuator_ctrllimited[actuator]:
        limits.append(model.actuator_ctrlrange[actuator] * model.actuator_gainprm[actuator, 0] * gear)
    if not limits:
        return None
    ordered = np.sort(limits, axis=1)
    return float(ordered[:, 0].max()), float(ordered[:, 1].min())


def joint_force_limit(model: mujoco.MjModel, joint: int) -> Limit | None:
    """Return the limits of what all actuators together can put on a joint, N or N·m; None: it has none."""
    low, high = model.jnt_actfrcrange[joint]
    return (float(low), float(high)) if model.jnt_actfrclimited[joint] else None


def weakest(limits: Mapping[int, Limit | None], loads: JointLoads) -> int | None:
    """Return the joint whose limits fall shortest of holding the robot; None where all are enough."""
    lacking = {i: MARGIN * loads.holding[i] - _least(limit) for i, limit in limits.items() if limit is not None}
    worst = max(lacking, key=lacking.__getitem__, default=None)
    return worst if worst is not None and lacking[worst] > 0 else None


def limits_left_out(
    what: str, names: Sequence[str], joint: int, limits: Mapping[int, Limit | None], loads: JointLoads
) -> str:
    """Return a sentence on limits that are ignored: with them the robot would fall, so they cannot be its own."""
    limit = limits[joint]
    assert limit is not None
    return (
        f"The {what} of force are left out: '{names[joint]}' may use {_least(limit):.3g} N·m, and holding the robot "
        f"takes up to {loads.holding[joint]:.3g}."
    )


def _least(limit: Limit) -> float:
    return min(-limit[0], limit[1])
