"""Why the scripted expert cannot do a task with a robot: unstable, too slow, out of reach, or blocked."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from studio.contracts import Embodiment, Task
from studio.experiment import Domain
from studio.sim.kinematics import damped_least_squares
from studio.sim.robots.joint_loads import pose_range
from studio.sim.scene import LimbIndex
from studio.sim.world import World

Array = np.ndarray

PATIENCE = 6  # for so many times the task's horizon the expert may act
GOALS = 3  # of so many failed episodes the goal is checked by inverse kinematics
STARTS = 4  # random poses that inverse kinematics starts from, for each goal
ITERATIONS = 60
PLANE = int(mujoco.mjtGeom.mjGEOM_PLANE)
LOOK = "Look at the robot in the viewport, with the scripted expert acting."
NEAR = 0.05  # m; an end that comes as near as this to a goal reaches it
REACH_POSES = 500  # drawn to see how far an arm reaches
AT_LIMIT = 0.02  # rad or m; a joint nearer than this to its limit is held by it
SEARCH_STEP = 0.1  # m; the farthest that one step of inverse kinematics moves the end


def diagnose(domain: Domain, task: Task, embodiment: Embodiment, seeds: Sequence[int]) -> tuple[str, str]:
    """Return why the expert's episodes of these seeds fail, as the end of a sentence, and what to do about it."""
    world = World(domain, task, embodiment, len(seeds))
    try:
        return _cause(world, seeds)
    finally:
        world.close()


def _cause(world: World, seeds: Sequence[int]) -> tuple[str, str]:
    task, ids = world.task, np.arange(len(seeds))
    world.reset_envs(ids, seeds)
    if not task.has_success:
        return "the task has no success to wait for, but a return", "Choose a reinforcement-learning strategy."
    start = np.linalg.norm(_offsets(world, ids), axis=-1).min()
    warnings = world.batch.warning
    for step in range(1, PATIENCE * task.horizon + 1):
        world.advance(world.expert(ids), ids)
        bad = world.diverging(ids)
        if bad.any() and step > task.horizon:
            break  # what comes after an episode is not why it fails
        if bad.any():
            return _unstable(world, warnings[int(np.argmax(bad))], step / task.control_hz)
        if world.success(ids).any() and step > task.horizon:
            return (
                f"it is too slow: the quickest of {len(seeds)} episodes takes {step} control steps, "
                f"and an episode has {task.horizon}",
                "Give the model a keyframe 'home' with the end of the arm nearer to the table: it starts "
                f"{start:.2f} m from the goal.",
            )
    distances = [_nearest(world, int(i)) for i in ids[:GOALS]]
    best = int(np.argmin(distances))
    distance = distances[best]
    goal = ", ".join(f"{x:.2f}" for x in _goal(world, ids)[best])
    if distance > NEAR:
        limb = world.scene.limbs[0]
        return (
            f"the goal is out of reach: the end of the arm comes no nearer than {distance:.2f} m to ({goal}) m, where "
            f"episodes have it; the arm reaches {_reach(world, limb):.2f} m from its first joint",
            "Move the robot's base in the model to where it reaches the table, or choose another robot.",
        )
    left = float(np.linalg.norm(_offsets(world, ids)[best], axis=-1).min())
    if left < NEAR:
        return f"the end of the arm comes within {left:.2f} m of ({goal}) m, and no episode succeeds", LOOK
    return (
        f"the end of the arm stops {left:.2f} m from the goal at ({goal}) m, though it could get there: "
        f"{_obstacle(world, int(ids[best]))}",
        LOOK,
    )


def _goal(world: World, ids: Array) -> Array:
    """Return where the expert goes first, (n, 3), m."""
    return world.task.goal(world, ids)[:, :3]


def _offsets(world: World, ids: Array) -> Array:
    """Return the vector from each limb's end to the goal, (n, limbs, 3), m."""
    return _goal(world, ids)[:, None] - world.end_effectors(ids)


def _unstable(world: World, warning: Array, seconds: float) -> tuple[str, str]:
    """Return which joint ran away; ``warning`` (kinds, 2) holds for each kind the index of the value, and how often."""
    model, kind = world.model, mujoco.mjtWarning
    position, velocity, acceleration = kind.mjWARN_BADQPOS, kind.mjWARN_BADQVEL, kind.mjWARN_BADQACC
    joints = [int(model.dof_jntid[warning[k.value, 0]]) for k in (velocity, acceleration) if warning[k.value, 1]]
    if warning[position.value, 1]:
        joints.insert(0, int(np.flatnonzero(model.jnt_qposadr <= warning[position.value, 0])[-1]))
    which = f"joint '{model.joint(joints[0]).name}'" if joints else "the robot"
    return (
        f"the simulation is unstable: {which} runs away within {seconds:.1f} s",
        "Lower the gains kp and kv of its actuators, give the joint more armature, or set a smaller timestep in the "
        "model.",
    )


def _nearest(world: World, sim: int) -> float:
    """Return how near an end of the robot can come to a simulation's goal, m, by inverse kinematics from many poses."""
    model, goal = world.model, _goal(world, np.array([sim]))[0]
    data, best = mujoco.MjData(model), np.inf
    jacobian = np.empty((3, model.nv))
    for limb in world.scene.limbs:
        low, high = _range(model, limb)
        starts = np.random.default_rng(sim).uniform(low, high, (STARTS, len(low)))
        for pose in [world.scene.home_qpos[limb.qpos], *starts]:
            data.qpos[:] = world.state(sim)[0]
            for _ in range(ITERATIONS):
                data.qpos[limb.qpos] = pose
                mujoco.mj_kinematics(model, data)
                mujoco.mj_comPos(model, data)
                offset = goal - data.site_xpos[limb.site]
                distance = float(np.linalg.norm(offset))
                best = min(best, distance)
                if best < NEAR:
                    return best
                mujoco.mj_jacSite(model, data, jacobian, None, limb.site)
                step = offset * min(1.0, SEARCH_STEP / distance)
                pose = pose + damped_least_squares(jacobian[None][:, :, limb.dofs], step[None])[0]
                pose = np.clip(pose, limb.low, limb.high)
    return best


def _reach(world: World, limb: LimbIndex) -> float:
    """Return the largest distance of the limb's end from its first joint, m, over random poses."""
    model = world.model
    data, farthest = mujoco.MjData(model), 0.0
    first = int(model.dof_jntid[limb.dofs[0]])
    for pose in np.random.default_rng(0).uniform(*_range(model, limb), (REACH_POSES, len(limb.qpos))):
        data.qpos[limb.qpos] = pose
        mujoco.mj_kinematics(model, data)
        farthest = max(farthest, float(np.linalg.norm(data.site_xpos[limb.site] - data.xanchor[first])))
    return farthest


def _range(model: mujoco.MjModel, limb: LimbIndex) -> tuple[Array, Array]:
    return pose_range(model, [int(model.dof_jntid[dof]) for dof in limb.dofs])


def _obstacle(world: World, sim: int) -> str:
    """Return what blocks the robot in the present state of a simulation, as the end of a sentence.

    Contacts with a plane and of the robot with itself come last: a weak robot that has fallen lies on the ground.
    """
    model, data = world.model, mujoco.MjData(world.model)
    data.qpos[:], data.mocap_pos[:] = world.state(sim)
    data.ctrl[:] = world.bind("ctrl")[sim]
    mujoco.mj_forward(model, data)
    found: list[str] = []
    for limb in world.scene.limbs:
        moved = _moved_by(model, limb)
        found += _contacts(model, data, moved, with_ground=False)
        pose = data.qpos[limb.qpos]
        stopped = (pose < limb.low + AT_LIMIT) | (pose > limb.high - AT_LIMIT)
        joints = model.dof_jntid[limb.dofs[stopped]]
        found += [f"joint '{model.joint(int(joint)).name}' is at its limit" for joint in joints]
        force, (low, high) = data.actuator_force[limb.ctrl], model.actuator_forcerange[limb.ctrl].T
        weak = limb.ctrl[(model.actuator_forcelimited[limb.ctrl] > 0) & ((force <= low) | (force >= high))]
        found += [f"actuator '{model.actuator(int(actuator)).name}' is at its limit of force" for actuator in weak]
        found += _contacts(model, data, moved, with_ground=True)
    return next(iter(found), "its actuators follow their commands too loosely, or other parts hold it")


def _contacts(model: mujoco.MjModel, data: mujoco.MjData, moved: Array, with_ground: bool) -> list[str]:
    """Return which moved bodies touch others, hardest contacts first; ``with_ground``: also contacts with planes and
    between moved bodies."""
    found, force = [], np.zeros(6)
    for index, contact in enumerate(data.contact):
        one, other = (int(model.geom_bodyid[geom]) for geom in contact.geom)
        outside = moved[one] != moved[other] and PLANE not in model.geom_type[contact.geom]
        mujoco.mj_contactForce(model, data, index, force)
        if force[0] > 0 and (outside or (with_ground and (moved[one] or moved[other]))):
            names = ["the ground" if body == 0 else f"'{model.body(body).name}'" for body in (one, other)]
            found.append((-float(force[0]), " touches ".join(sorted(names))))
    return [words for _, words in sorted(found)]


def _moved_by(model: mujoco.MjModel, limb: LimbIndex) -> Array:
    """Return which bodies the limb moves, (bodies,) bool."""
    moved = np.zeros(model.nbody, bool)
    moved[model.dof_bodyid[limb.dofs]] = True
    for body in range(1, model.nbody):
        moved[body] |= moved[model.body_parentid[body]]
    return moved
