"""The joints of a robot that the studio moves, and the body at their end."""

from __future__ import annotations

import mujoco
import numpy as np

MOVABLE = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)
LOCKED = 1e6  # N·m·s/rad or N·s/m; a joint with more damping than this is meant to stay where it is


def chain_of(model: mujoco.MjModel) -> list[int]:
    """Return the hinges and slides on the way to the deepest body, at most fourteen, without the fingers of a hand."""
    best: list[int] = []
    for leaf in range(1, model.nbody):
        chain: list[int] = []
        body = leaf
        while body:
            first, count = model.body_jntadr[body], model.body_jntnum[body]
            chain = [j for j in range(first, first + count) if _is_movable(model, j)] + chain
            body = int(model.body_parentid[body])
        if len(chain) > len(best):
            best = chain
    # a hand is where the chain forks into fingers, shorter than the arm that carries them
    forks = [i for i, joint in enumerate(best) if _siblings(model, int(model.jnt_bodyid[joint])) > 1]
    hand = next((i for i in forks if len(best) - i < i), len(best))
    return best[: min(hand, 14)]


def _is_movable(model: mujoco.MjModel, joint: int) -> bool:
    """Whether a joint is a hinge or slide that an actuator could move: some files lock a base by its damping."""
    return int(model.jnt_type[joint]) in MOVABLE and model.dof_damping[model.jnt_dofadr[joint]] < LOCKED


def _siblings(model: mujoco.MjModel, body: int) -> int:
    """Return how many bodies with joints hang on the same carrier as this body, itself included."""
    carrier = _carrier(model, body)
    return sum(model.body_jntnum[b] > 0 and _carrier(model, b) == carrier for b in range(1, model.nbody))


def _carrier(model: mujoco.MjModel, body: int) -> int:
    """Return the nearest body on the way to the root that has joints; the world where none has."""
    parent = int(model.body_parentid[body])
    while parent and not model.body_jntnum[parent]:
        parent = int(model.body_parentid[parent])
    return parent


def deepest_fixed(model: mujoco.MjModel, body: int) -> int:
    """Return the end of the chain: of what is fixed to its last body (flange, tool) the deepest body with a named site;
    where there is none, the deepest that carries nothing that moves, as pads do that fingers slide on."""
    depth, rigid = 0, {body: 0}
    while layer := [b for b, at in rigid.items() if at == depth]:
        depth += 1
        children = np.flatnonzero(np.isin(model.body_parentid, layer) & (model.body_jntnum == 0))
        rigid |= {int(child): depth for child in children if child}
    sited = {int(model.site_bodyid[i]) for i in range(model.nsite) if model.site(i).name}
    ends = [b for b in rigid if b in sited] or [b for b in rigid if not _carries_joints(model, b)] or [body]
    return max(ends, key=rigid.__getitem__)


def _carries_joints(model: mujoco.MjModel, body: int) -> bool:
    """Whether joints hang on a body."""
    children = np.flatnonzero(model.body_parentid == body)
    return any(model.body_jntnum[child] or _carries_joints(model, int(child)) for child in children if child)
