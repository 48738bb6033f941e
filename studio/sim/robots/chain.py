"""The joints of a robot that the studio moves, and the body at their end."""

from __future__ import annotations

import mujoco
import numpy as np


def chain_of(model: mujoco.MjModel) -> list[int]:
    """Hinges and slides on the way to the deepest body, at most fourteen; without the fingers of a hand."""
    movable = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)
    best: list[int] = []
    for leaf in range(1, model.nbody):
        chain: list[int] = []
        body = leaf
        while body:
            first, count = model.body_jntadr[body], model.body_jntnum[body]
            chain = [j for j in range(first, first + count) if int(model.jnt_type[j]) in movable] + chain
            body = int(model.body_parentid[body])
        if len(chain) > len(best):
            best = chain
    # a hand is where the chain forks into fingers, shorter than the arm that carries them
    forks = [i for i, joint in enumerate(best) if _siblings(model, int(model.jnt_bodyid[joint])) > 1]
    hand = next((i for i in forks if len(best) - i < i), len(best))
    return best[: min(hand, 14)]


def _siblings(model: mujoco.MjModel, body: int) -> int:
    """How many bodies with joints hang on this body's parent, itself included."""
    parent = int(model.body_parentid[body])
    return sum(model.body_parentid[b] == parent and model.body_jntnum[b] > 0 for b in range(1, model.nbody))


def deepest_fixed(model: mujoco.MjModel, body: int) -> int:
    """Follows fixed bodies (flange, tool) to the end of the chain; a body with a site wins."""
    while True:
        children = [b for b in range(1, model.nbody) if model.body_parentid[b] == body and model.body_jntnum[b] == 0]
        if not children:
            return body
        sited = [b for b in children if np.any(model.site_bodyid == b)]
        body = (sited or children)[0]
