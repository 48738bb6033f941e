"""Servos for the joints that the studio moves: where a model has none, or motors of another kind in their place.

A position servo of stiffness K and damping D on inertia M stands still and follows where D ≥ 2√(K·M). Joints of a chain
are coupled, so M is a bound of the whole mass matrix (:mod:`studio.sim.robots.joint_loads`). K is large enough that
gravity, springs and friction leave no more than ``ERROR`` between a joint and its command; there is no gravity
compensation, which would hide a change of masses and which the file does not ask for. A joint's own damping counts as a
part of D. With ``implicitfast`` the damping is integrated implicitly: in a time step h the joint goes at most the share
h·K/D = h·BANDWIDTH/2 of the way to its command, so the servo is stable at any time step below 4 / BANDWIDTH.
"""

from __future__ import annotations

import mujoco
import numpy as np

from studio.sim.robots.actuators import actuators_of, command_of, is_motor
from studio.sim.robots.force_limits import force_limit, joint_force_limit, limits_left_out, weakest
from studio.sim.robots.joint_loads import JointLoads, joint_loads

Array = np.ndarray

BANDWIDTH = 40.0  # rad/s; a command is followed about 2 / BANDWIDTH = 0.05 s late
ERROR = 0.01  # rad or m between a joint at rest and its command
EXPLICIT = {mujoco.mjtIntegrator.mjINT_EULER: "Euler", mujoco.mjtIntegrator.mjINT_RK4: "RK4"}
DEFAULTS = "studio_servo"  # the default class of the studio's servos: the file's own defaults do not reach them
FIELDS = (
    *("gaintype", "gainprm", "biastype", "biasprm", "dyntype", "dynprm", "actdim", "actearly", "gear", "cranklength"),
    *("lengthrange", "inheritrange", "damping", "armature", "ctrllimited", "ctrlrange", "forcelimited", "forcerange"),
    *("actlimited", "actrange", "group", "nsample", "interp", "delay", "ctrlspec", "velrange", "ffrange"),
)  # of an actuator's defaults


def add_servos(spec: mujoco.MjSpec, model: mujoco.MjModel, chain: list[int]) -> list[str]:
    """Let every joint of the chain follow a position, or all of them a velocity where the model has such servos.

    Args:
        spec: is changed.
        model: what the spec compiles to.
        chain: the joints, named in the spec as in the model.

    Returns:
        What was changed, in sentences.
    """
    changes = _integrate_implicitly(spec, model)
    present = [next(iter(actuators_of(model, joint)), None) for joint in chain]
    commands = [None if actuator is None else command_of(model, actuator) for actuator in present]
    wanted = "velocity" if all(command == "velocity" for command in commands) else "position"
    lacking = [i for i, command in enumerate(commands) if command != wanted]
    if not lacking:
        return changes
    loads = joint_loads(model, chain)
    stiffness, damping = gains(loads, model.opt.timestep)
    names = [model.joint(joint).name for joint in chain]
    limits = {i: force_limit(model, own) for i in lacking if (own := present[i]) is not None}
    of_joints = {i: joint_force_limit(model, joint) for i, joint in enumerate(chain)}
    if (weak := weakest(limits, loads)) is not None:
        changes.append(limits_left_out("motors' limits", names, weak, limits, loads))
        limits = {}
    if (weak := weakest(of_joints, loads)) is not None:
        changes.append(limits_left_out("joints' limits", names, weak, of_joints, loads))
        for name in names:
            spec.joint(name).actfrclimited = mujoco.mjtLimited.mjLIMITED_FALSE
    defaults = _defaults(spec)
    for i in lacking:
        own = present[i]
        servo = spec.add_actuator(defaults) if own is None else _stripped(spec.actuators[own], defaults)
        servo.name = servo.name or f"studio_{names[i]}"
        servo.target, servo.trntype = names[i], mujoco.mjtTrn.mjTRN_JOINT
        servo.set_to_position(kp=float(stiffness[i]), kv=float(damping[i]))
        if (limit := limits.get(i)) is not None:
            servo.forcelimited, servo.forcerange = mujoco.mjtLimited.mjLIMITED_TRUE, limit
    _command_keys(spec, model, {chain[i]: present[i] for i in lacking})
    added = [names[i] for i in lacking if present[i] is None]
    replaced = [own for i in lacking if (own := present[i]) is not None]
    if replaced:
        kind = "torque motors" if all(is_motor(model, own) for own in replaced) else "actuators"
        named = ", ".join(spec.actuators[own].name for own in replaced)
        changes.insert(0, f"Position servos replace the {kind} {named}.")
    if added:
        changes.insert(0, f"Position servos were added to the joints {', '.join(added)}.")
    return changes


def gains(loads: JointLoads, timestep: float) -> tuple[Array, Array]:
    """Return stiffness and damping of a position servo for each joint, (joints,): N·m/rad and N·m·s/rad, or N/m, N·s/m.

    Where damping or friction ask for a larger stiffness than inertia does, the damping grows with it: together with the
    joint's own it is 2 / BANDWIDTH of the stiffness.
    """
    bandwidth = min(BANDWIDTH, 1 / timestep)
    least = (loads.inertia * bandwidth**2, loads.damping * bandwidth / 2, (loads.holding + loads.friction) / ERROR)
    stiffness = np.max(least, 0)
    return stiffness, 2 * stiffness / bandwidth - loads.damping


def _integrate_implicitly(spec: mujoco.MjSpec, model: mujoco.MjModel) -> list[str]:
    if model.opt.integrator not in EXPLICIT:
        return []
    own = EXPLICIT[mujoco.mjtIntegrator(int(model.opt.integrator))]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    return [f"The integrator is implicitfast instead of {own}: damped servos stay stable with it."]


def _defaults(spec: mujoco.MjSpec) -> mujoco.MjsDefault:
    """Return the default class of the studio's servos: MuJoCo's own values, whatever the file's defaults are."""
    found = spec.find_default(DEFAULTS)
    if found is None:
        found = spec.add_default(DEFAULTS, spec.default)
        _copy_fields(mujoco.MjSpec(), found.actuator)
    return found


def _copy_fields(pristine: mujoco.MjSpec, actuator: mujoco.MjsActuator) -> None:
    for field in FIELDS:
        setattr(actuator, field, getattr(pristine.default.actuator, field))


def _stripped(actuator: mujoco.MjsActuator, defaults: mujoco.MjsDefault) -> mujoco.MjsActuator:
    """Return the actuator with its name and place, and nothing else of its own: sensors and keyframes still find it."""
    actuator.classname = defaults
    _copy_fields(mujoco.MjSpec(), actuator)
    return actuator


def _command_keys(spec: mujoco.MjSpec, model: mujoco.MjModel, servos: dict[int, int | None]) -> None:
    """Let each keyframe command the new servos (joint → actuator that was replaced) to the pose that it has."""
    for index, key in enumerate(spec.keys):
        command, pose = [*model.key_ctrl[index]], model.key_qpos[index][model.jnt_qposadr]
        for joint, actuator in servos.items():
            if actuator is None:
                command.append(pose[joint])
            else:
                command[actuator] = pose[joint]
        key.ctrl = command
