"""What tasks with a loose block share: the block, its goal's mark, closed hands, and where things lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import Embodiment, Ids, Simulation, task_name

if TYPE_CHECKING:
    import mujoco

    from studio.rng import EpisodeRng

Array = np.ndarray

RED = (0.84, 0.13, 0.12, 1.0)
GREEN = (0.16, 0.56, 0.27, 1.0)
PALE = (0.66, 0.86, 0.66, 1.0)


def add_block(
    spec: mujoco.MjSpec,
    half: float,
    mass: float,
    friction: float,
    name: str = "block",
    color: tuple[float, ...] = RED,
) -> None:
    """A loose cube, a part of the task. Its own friction counts in all its contacts, so that a term can vary it."""
    import mujoco

    body = spec.worldbody.add_body(name=task_name(name), pos=[0.45, 0, half])
    body.add_freejoint(name=task_name(name))
    body.add_geom(
        name=task_name(name),
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[half] * 3,
        rgba=color,
        mass=mass,
        condim=4,
        friction=[friction, 0.01, 0.0001],
        priority=1,
    )


def add_marker(spec: mujoco.MjSpec, radius: float, height: float) -> None:
    """A flat green ring that marks the goal: the task's first mocap body. Nothing touches it."""
    import mujoco

    body = spec.worldbody.add_body(name=task_name("goal"), mocap=True, pos=[0.45, 0.15, height])
    for part, share, color in (("rim", 1.0, GREEN), ("field", 0.8, PALE)):
        body.add_geom(
            name=task_name(f"goal_{part}"),
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=[radius * share, 0.0008 if part == "rim" else 0.0012, 0],
            rgba=color,
            contype=0,
            conaffinity=0,
            mass=0,
        )


def close_hands(spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
    """Rest with closed grippers: a hand that pushes is a fist. For use before other bodies are added."""
    hands = [limb.gripper for limb in embodiment.limbs if limb.gripper]
    if not hands or not embodiment.home:
        return
    model, key = spec.compile(), spec.key(embodiment.home)
    qpos, ctrl = np.array(key.qpos), np.array(key.ctrl)
    for name in hands:
        qpos[finger_places(model, name)] = 0
        ctrl[model.actuator(name).id] = model.actuator(name).ctrlrange[0]
    key.qpos, key.ctrl = qpos, ctrl


def finger_places(model: mujoco.MjModel, gripper: str) -> Array:
    """Where in ``qpos`` the fingers lie that an actuator moves through its tendon, or its joint."""
    import mujoco

    hand = model.actuator(gripper)
    if model.actuator_trntype[hand.id] == mujoco.mjtTrn.mjTRN_TENDON:
        first, count = model.tendon_adr[hand.trnid[0]], model.tendon_num[hand.trnid[0]]
        return np.asarray(model.jnt_qposadr[model.wrap_objid[first : first + count]])
    return np.asarray(model.jnt_qposadr[[hand.trnid[0]]])


class Block:
    """A block's rows of a world's state."""

    def __init__(self, world: Simulation, name: str = "block") -> None:
        joint = world.model.joint(task_name(name))
        at, dof = int(joint.qposadr[0]), int(joint.dofadr[0])
        self._pose, self._speed = world.bind("qpos")[:, at : at + 7], world.bind("qvel")[:, dof : dof + 6]

    def place(self, ids: Array, xy: Array, height: float, yaw: Array) -> None:
        """Put the block down at rest, turned by ``yaw`` (n,) rad."""
        self._pose[ids, :2], self._pose[ids, 2] = xy, height
        self._pose[ids, 3:] = 0
        self._pose[ids, 3], self._pose[ids, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
        self._speed[ids] = 0

    def position(self, ids: Ids) -> Array:
        """Return the block's center, (n, 3), m."""
        return self._pose[ids, :3].copy()


def nearer_arm(action: Array, side: Array) -> Array:
    """Of two arms (right, left) the one on the side of ``side`` (n,) > 0: left goes, the other keeps still."""
    if action.shape[1] == 2:
        action[side > 0, 0, :3] = 0
        action[side <= 0, 1, :3] = 0
    return action


def place_on_table(rng: EpisodeRng, two_arms: bool, near: float, far: float) -> tuple[Array, Array]:
    """Where the block and the goal lie, (n, 2) each, m: ``near`` to ``far`` apart, in reach of every arm.

    Before two arms both lie on the same side, where one arm does it all.
    """
    block = np.stack([rng.uniform(0.41, 0.51), rng.uniform(-0.15, 0.15)], 1)
    angle, away = rng.uniform(-np.pi, np.pi), rng.uniform(near, far)
    step = away[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    low, high = np.array([0.33, -0.25]), np.array([0.64, 0.25])
    if two_arms:
        side = np.where(rng.uniform() < 0.5, -1.0, 1.0)
        block[:, 1] = rng.uniform(0.10, 0.25)
        low, high = np.array([0.33, 0.05]), np.array([0.64, 0.34])
    outside = (block + step < low) | (block + step > high)
    goal = block + np.where(outside, -step, step)
    if two_arms:
        block[:, 1] *= side
        goal[:, 1] *= side
    return block, goal
