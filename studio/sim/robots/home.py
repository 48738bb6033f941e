"""A resting pose for an arm whose file has none: its tip before the base, above the table, free to move."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from studio.sim.robots.posed_arm import PosedArm

Array = np.ndarray

AIM = np.array([0.45, 0.0, 0.25])  # m, of the tip: above the middle of where tasks put things on a table
CORNERS = np.array([[0.32, -0.28, 0.04], [0.32, 0.28, 0.04], [0.62, -0.28, 0.04], [0.62, 0.28, 0.04], [0.45, 0, 0.04]])
STEP, STEPS, NEAR = 0.03, 38, 0.035  # m a step, steps, m: like an arm's motion in a task
STALLED = 1e-3  # m; a tip that comes no nearer than this in a step does not arrive
STARTS, IK_STEPS = 24, 25  # random poses that are tried, and steps of inverse kinematics from each
CANDIDATES = 4  # the best poses, from which the corners are tried
GOOD_COST, GOOD_POSES = 0.3, 3  # cost of a good pose, and how many good ones end the search
STRETCHED = 0.6  # of an arm's length: how far a tip goes that cannot reach the aim
ROOM = 0.1  # share of a joint's range that stays free at both ends
TOLERANCE = 0.15  # least singular value of the tip's Jacobian, in arm lengths, that is well away from singular


@dataclass(frozen=True)
class Pose:
    """A pose, (nq,), and its cost; 0: ideal."""

    qpos: Array
    cost: float
    corners: int = 0  # how many corners of the table the tip reaches from it


def find_home(model: mujoco.MjModel, joints: list[int], site: int) -> Array | None:
    """Return a pose (nq,) to start tasks from; None: the model's own pose is good, or the arm floats or is tied.

    Deterministic. Candidates are the model's own pose, the middle of the ranges and random ones, each brought to the
    aim by inverse kinematics. The cost of a candidate grows with the distance left to the aim, with nearness to a
    singular pose, to joint limits and to the ground, and with contacts. Of the best few, the one that reaches the most
    corners of the table wins.
    """
    if _is_tied(model, joints):
        return None
    arm = PosedArm(model, joints, site)
    own = _with_reached_corners(arm, Pose(model.qpos0.copy(), _cost(arm, model.qpos0, arm.tip(model.qpos0))))
    if own.cost < 1 and own.corners == len(CORNERS):
        return None
    aim = _aim(arm)
    found: list[Pose] = []
    for start in _starts(arm):
        qpos = _moved_to(arm, start, aim)
        found.append(Pose(qpos, _cost(arm, qpos, aim)))
        if sum(pose.cost < GOOD_COST for pose in found) == GOOD_POSES:
            break
    found.sort(key=lambda pose: pose.cost)
    best = own
    for pose in found[:CANDIDATES]:
        tried = _with_reached_corners(arm, pose)
        if (tried.corners, -tried.cost) > (best.corners, -best.cost):
            best = tried
        if best.corners == len(CORNERS):
            break
    return None if best is own else best.qpos


def _aim(arm: PosedArm) -> Array:
    """Return where the tip shall rest, m; nearer to the base for a short arm."""
    away = AIM - arm.base
    distance = float(np.linalg.norm(away))
    return arm.base + away * min(1.0, STRETCHED * arm.length / distance)


def _starts(arm: PosedArm) -> list[Array]:
    low, high = np.where(np.isfinite(arm.low), arm.low, -np.pi), np.where(np.isfinite(arm.high), arm.high, np.pi)
    own = arm.model.qpos0
    poses = [own.copy() for _ in range(2 + STARTS)]
    poses[1][arm.qpos] = (low + high) / 2
    rng = np.random.default_rng(0)
    for pose in poses[2:]:
        pose[arm.qpos] = rng.uniform(low, high)
    return poses


def _moved_to(arm: PosedArm, qpos: Array, aim: Array) -> Array:
    room = np.where(np.isfinite(arm.high - arm.low), ROOM * (arm.high - arm.low), 0)
    low, high = arm.low + room, arm.high - room
    for _ in range(IK_STEPS):
        offset = aim - arm.tip(qpos)
        qpos = arm.move(qpos, offset * min(1.0, 0.1 / (np.linalg.norm(offset) + 1e-9)), low, high)
    arm.tip(qpos)
    return arm.data.qpos.copy()


def _cost(arm: PosedArm, qpos: Array, aim: Array) -> float:
    """Return the cost of a pose; each of its parts is 1 where it is bad."""
    model, data = arm.model, arm.data
    missed, jacobian = float(np.linalg.norm(aim - arm.tip(qpos))) / 0.05, arm.jacobian()
    if not np.isfinite(jacobian).all() or not np.isfinite(missed):  # the model has extreme lengths
        return np.inf
    singular = max(0.0, 1 - float(np.linalg.svd(jacobian, compute_uv=False)[-1]) / (TOLERANCE * arm.length))
    joints = data.qpos[arm.qpos]
    span = arm.high - arm.low
    limited = np.isfinite(span)
    free = (np.minimum(joints - arm.low, arm.high - joints)[limited] / (span[limited] + 1e-9)).min(initial=ROOM)
    limits = 1 - float(max(free, 0)) / ROOM if free < ROOM else 0.0
    mujoco.mj_collision(model, data)
    moving = {int(body) for body in np.flatnonzero(model.body_dofnum[model.body_weldid] > 0)}
    contacts = sum(
        bool(moving & {int(model.geom_bodyid[a]), int(model.geom_bodyid[b])}) for a, b in data.contact.geom[: data.ncon]
    )
    low = float(max(0.0, 0.05 - data.xpos[arm.bodies[1:], 2].min(initial=1))) / 0.05
    turned = float(np.abs(joints - model.qpos0[arm.qpos]).mean()) / (2 * np.pi)
    return float(missed + 2 * singular + limits + 3 * min(contacts, 3) + 2 * min(low, 3) + turned)


def _with_reached_corners(arm: PosedArm, pose: Pose) -> Pose:
    """Return the pose with the number of corners that the tip reaches from it, straight, in a task's time."""
    reached = 0
    for corner in CORNERS:
        qpos, last = pose.qpos, np.inf
        for _ in range(STEPS):
            offset = corner - arm.tip(qpos)
            distance = float(np.linalg.norm(offset))
            if distance < NEAR:
                reached += 1
                break
            if distance > last - STALLED:
                break
            last = distance
            qpos = arm.move(qpos, np.clip(offset, -STEP, STEP), arm.low, arm.high, pose.qpos)
    return Pose(pose.qpos, pose.cost, reached)


def _is_tied(model: mujoco.MjModel, joints: list[int]) -> bool:
    """Whether the chain floats, or is tied to something: then a pose cannot be set joint by joint."""
    root = int(model.body_rootid[model.jnt_bodyid[joints[0]]])
    if model.body_jntnum[root] and model.jnt_type[model.body_jntadr[root]] == mujoco.mjtJoint.mjJNT_FREE:
        return True
    tying = (mujoco.mjtEq.mjEQ_CONNECT, mujoco.mjtEq.mjEQ_WELD)
    chain = {int(body) for body in model.jnt_bodyid[joints]}
    for equality in np.flatnonzero(model.eq_active0):
        bodies = {int(model.eq_obj1id[equality]), int(model.eq_obj2id[equality])}
        of_bodies = model.eq_objtype[equality] == mujoco.mjtObj.mjOBJ_BODY
        if int(model.eq_type[equality]) in tying and of_bodies and chain & bodies:
            return True
    return False
