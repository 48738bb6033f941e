"""Welds of a robot to mocap bodies: what drags an arm to a target instead of its joints' motors."""

from __future__ import annotations

import mujoco

OF_BODIES = (mujoco.mjtEq.mjEQ_WELD, mujoco.mjtEq.mjEQ_CONNECT)


def release_from_mocap(spec: mujoco.MjSpec, model: mujoco.MjModel, chain: list[int]) -> list[str]:
    """Switch off the welds and connections between the chain's bodies and mocap bodies. Return sentences on them.

    A weld to a mocap body that nothing moves would hold the arm in place; one that a task moves would drag it along.
    """
    changes = []
    for index, equality in enumerate(spec.equalities):
        if int(model.eq_type[index]) not in OF_BODIES or not model.eq_active0[index]:
            continue
        pair = [_body(model, index, int(end)) for end in (model.eq_obj1id[index], model.eq_obj2id[index])]
        targets = [b for b in pair if model.body_mocapid[b] >= 0]
        if targets and any(_hangs_on(model, b, int(model.jnt_bodyid[chain[0]])) for b in pair):
            equality.active = False
            name = model.body(targets[0]).name
            changes.append(
                f"The robot is released from the mocap body '{name}', which dragged it: its joints drive it."
            )
    return changes


def _body(model: mujoco.MjModel, equality: int, item: int) -> int:
    """Return the body at one end of an equality, which names the body or a site on it."""
    sites = model.eq_objtype[equality] == mujoco.mjtObj.mjOBJ_SITE
    return int(model.site_bodyid[item]) if sites else item


def _hangs_on(model: mujoco.MjModel, body: int, first: int) -> bool:
    """Whether a body is the chain's first moving body or hangs on it."""
    while body and body != first:
        body = int(model.body_parentid[body])
    return body == first
