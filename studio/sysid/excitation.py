"""Excitation: commands and initial states from which the parameters can be identified, drawn from a seed."""

from __future__ import annotations

import mujoco
import numpy as np

from studio.sysid.plant import Plant
from studio.sysid.trajectories import Trajectories

Array = np.ndarray

STEP_SECONDS = 0.02
SINES = 6  # in the sum for each actuator
LOWEST = 0.3  # Hz
RISE = 0.2  # s, over which the amplitude rises, so that servos do not jerk at the start
# (steps, highest Hz). After a body has fallen, its motion depends little on earlier commands: its recordings are short.
ARM, BODY = (75, 2.5), (20, 6.0)
SWING = 0.3  # rad, amplitude of a servo around its home
SHARE = 0.8  # fraction of a motor's or a velocity servo's control range
SCATTER = 0.3  # rad, rad/s and m/s: spread of a body's initial states around its home
SLIDE = 2.0  # m/s: a body's initial horizontal speed, so that its feet slip


def excite(plant: Plant, count: int, seed: int, steps: int | None = None, dt: float = STEP_SECONDS) -> Trajectories:
    """Return ``count`` trajectories with commands and initial states, and NaN for the measurements."""
    model = plant.model
    usual, highest = BODY if plant.kind == "motor_controlled" else ARM
    steps = steps or usual
    rng = np.random.default_rng([seed, 7])
    dt = model.opt.timestep * max(1, round(dt / model.opt.timestep))
    center, swing = _center_and_swing(plant)
    commands = np.clip(center + swing * _sines(rng, count, steps, model.nu, dt, highest), *_limits(model))
    qpos = np.repeat(plant.home_qpos[None], count, 0)
    qvel = np.zeros((count, model.nv))
    if plant.kind == "motor_controlled":
        _scatter(model, rng, qpos, qvel)
    unmeasured = np.full((count, steps + 1, 1), np.nan)
    return Trajectories(
        commands,
        np.repeat(unmeasured, model.nq, 2),
        np.repeat(unmeasured, model.nv, 2),
        dt,
        initial_qpos=qpos,
        initial_qvel=qvel,
        before=np.repeat(plant.home_ctrl[None], count, 0),
        source="recorded in simulation",
    )


def _sines(rng: np.random.Generator, count: int, steps: int, width: int, dt: float, highest: float) -> Array:
    """Return sums of sines with random frequencies, phases and weights and amplitude 1, (count, steps, width)."""
    shape = (count, width, SINES)
    frequency, phase = rng.uniform(LOWEST, highest, shape), rng.uniform(0, 2 * np.pi, shape)
    weight = rng.normal(size=shape) / frequency
    time = np.arange(1, steps + 1) * dt
    wave = np.einsum("cwk,cwkt->ctw", weight, np.sin(2 * np.pi * frequency[..., None] * time + phase[..., None]))
    wave /= np.abs(wave).max(1, keepdims=True)
    return np.asarray(wave * np.minimum(time / RISE, 1)[:, None])


def _center_and_swing(plant: Plant) -> tuple[Array, Array]:
    """Return center and amplitude of each actuator's command, (nu,) each."""
    model = plant.model
    center, swing = plant.home_ctrl.copy(), np.zeros(model.nu)
    hinges = np.array([_drives_hinge(model, i) for i in range(model.nu)])
    low, high = model.actuator_ctrlrange.T
    limited = model.actuator_ctrllimited.astype(bool)
    for i in range(model.nu):
        if model.actuator_biasprm[i, 1] != 0:  # a position servo; a gripper's stays as it is
            swing[i] = SWING if hinges[i] else 0.0
        elif limited[i]:  # a motor, or a speed
            center[i], swing[i] = (low[i] + high[i]) / 2, SHARE * (high[i] - low[i]) / 2
        else:
            swing[i] = SHARE
    return center, swing


def _drives_hinge(model: mujoco.MjModel, actuator: int) -> bool:
    if model.actuator_trntype[actuator] != mujoco.mjtTrn.mjTRN_JOINT:
        return False
    return bool(model.jnt_type[model.actuator_trnid[actuator, 0]] == mujoco.mjtJoint.mjJNT_HINGE)


def _limits(model: mujoco.MjModel) -> tuple[Array, Array]:
    """Return the lower and upper limits of the commands, (nu,) each: control ranges, and the joint ranges of position
    servos."""
    limited = model.actuator_ctrllimited.astype(bool)
    low = np.where(limited, model.actuator_ctrlrange[:, 0], -np.inf)
    high = np.where(limited, model.actuator_ctrlrange[:, 1], np.inf)
    for i in range(model.nu):
        joint = model.actuator_trnid[i, 0]
        if model.actuator_biasprm[i, 1] != 0 and _drives_hinge(model, i) and model.jnt_limited[joint]:
            low[i] = max(low[i], model.jnt_range[joint, 0])
            high[i] = min(high[i], model.jnt_range[joint, 1])
    return low, high


def _scatter(model: mujoco.MjModel, rng: np.random.Generator, qpos: Array, qvel: Array) -> None:
    """Scatter a body's initial states around its home, in place, with joints inside their ranges."""
    count = len(qpos)
    qvel += rng.normal(0, SCATTER, qvel.shape)
    for joint in range(model.njnt):
        place, dof = model.jnt_qposadr[joint], model.jnt_dofadr[joint]
        kind = model.jnt_type[joint]
        if kind == mujoco.mjtJoint.mjJNT_FREE or (kind == mujoco.mjtJoint.mjJNT_SLIDE and joint == 0):
            qvel[:, dof] = rng.uniform(-SLIDE, SLIDE, count)
        elif kind == mujoco.mjtJoint.mjJNT_HINGE and model.jnt_limited[joint]:
            moved = qpos[:, place] + rng.uniform(-SCATTER, SCATTER, count)
            qpos[:, place] = np.clip(moved, *model.jnt_range[joint])
