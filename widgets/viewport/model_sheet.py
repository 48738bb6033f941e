"""What the UI thread knows about a model: names, ranges, fields. Plain numbers and text, made once for each model."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from studio.contracts import PlayerProtocol, task_name

GOAL = task_name("goal")  # name of the body that marks a task's goal
DIRECTION = "direction"


@dataclass(frozen=True)
class Slider:
    """One joint or actuator: its index in the model, its name and its range."""

    index: int
    name: str
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True)
class ModelSheet:
    """The names and ranges of one model."""

    kind: str = ""  # of its player: world, model, recorded, training
    joints: tuple[Slider, ...] = ()
    actuators: tuple[Slider, ...] = ()
    keyframes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()  # what may be watched, as completions
    context: tuple[Slider, ...] = ()  # of a family of tasks
    changes: tuple[str, ...] = ()  # what the studio's copy of a user's model has otherwise, in sentences
    goal: str = ""  # what the mouse may move to say where to go: a body's name; ``direction``, an arrow


NO_MODEL = ModelSheet()


def describe(player: PlayerProtocol, mujoco: ModuleType) -> ModelSheet:
    """Return the sheet of a player's model; on the render thread."""
    from studio.viewer.watched_fields import fields

    model = player.model
    movable = int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)
    joints = []
    for index in range(model.njnt):
        if int(model.jnt_type[index]) not in movable:
            continue
        hinge = int(model.jnt_type[index]) == movable[0]
        reach = np.pi if hinge else max(1.0, float(model.stat.extent))
        low, high = model.jnt_range[index] if model.jnt_limited[index] else (-reach, reach)
        joints.append(_slider(index, model.joint(index).name, "joint", low, high, "rad" if hinge else "m"))
    actuators = []
    for index in range(model.nu):
        low, high = model.actuator_ctrlrange[index] if model.actuator_ctrllimited[index] else (-1.0, 1.0)
        actuators.append(_slider(index, model.actuator(index).name, "actuator", low, high))
    keys = tuple(model.key(index).name or f"keyframe {index}" for index in range(model.nkey))
    named = [f"qpos[{slider.name}]" for slider in joints] + [f"ctrl[{slider.name}]" for slider in actuators]
    named += [f"sensordata[{model.sensor(i).name}]" for i in range(model.nsensor) if model.sensor(i).name]
    turned = enumerate(player.components)
    context = tuple(_slider(place, c.name.replace("_", " "), "", c.low, c.high) for place, c in turned)
    return ModelSheet(
        player.kind,
        tuple(joints),
        tuple(actuators),
        keys,
        (*fields(player.data), *named),
        context,
        tuple(player.changes),
        _goal(player),
    )


def _goal(player: PlayerProtocol) -> str:
    """Return the body that marks the goal, a mocap body of the usual name or one on slides; ``direction``: an arrow."""
    model = player.model
    if player.perturb is None:
        return ""
    if player.aim is not None:
        return DIRECTION
    for body in player.sliding_marks:
        return str(model.body(body).name)
    return next((GOAL for i in range(model.nbody) if model.body_mocapid[i] >= 0 and model.body(i).name == GOAL), "")


def _slider(index: int, name: str, what: str, low: float, high: float, unit: str = "") -> Slider:
    return Slider(index, name or f"{what} {index}", float(low), float(high), unit)
