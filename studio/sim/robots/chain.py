"""The joints of a robot that the studio moves, and the body at their end."""

from __future__ import annotations

import mujoco
import numpy as np

MOVABLE = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)
LOCKED = 1e6  # N·m·s/rad or N·s/m; a joint with more damping than this is meant to stay where it is


def chain_of(model: mujoco.MjModel) -> list[int]:
    """Hinges and slides on the way to the deepest body, at most fourteen; without the fingers of a hand."""
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
    """How many bodies with joints this body's carrier carries next, itself included."""
    carrier = _carrier(model, body)
    return sum(model.body_jntnum[b] > 0 and _carrier(model, b) == carrier for b in range(1, model.nbody))


def _carrier(model: mujoco.MjModel, body: int) -> int:
    """The nearest body on the way to the root that has joints; the world where none has."""
    parent = int(model.body_parentid[body])
    while parent and not model.body_jntnum[parent]:
        parent = int(model.body_parentid[parent])
    return parent


def deepest_fixed(model: mujoco.MjModel, body: int) -> int:
    """Follows fixed bodies (flange, tool) to the end of the chain; a body with a site wins."""
    while True:
        children = [b for b in range(1, model.nbody) if model.body_parentid[b] == body and model.body_jntnum[b] == 0]
        if not children:
            return body
        sited = [b for b in children if np.any(model.site_bodyid == b)]
        body = (sited or children)[0]
