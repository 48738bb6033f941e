"""Defaults of a model's file: what is added to it later, by the studio or a task, does not inherit them."""

from __future__ import annotations

import mujoco

GEOM = (
    *("type", "size", "contype", "conaffinity", "condim", "priority", "friction", "solmix", "solref", "solimp"),
    *("margin", "gap", "mass", "density", "material", "rgba", "group", "meshname", "hfieldname"),
)
JOINT = (
    *("stiffness", "damping", "armature", "frictionloss", "springdamper", "limited", "range", "margin", "ref"),
    *("springref", "group"),
)


def forget_defaults(spec: mujoco.MjSpec) -> bool:
    """Gives geoms and joints MuJoCo's own defaults in place of the file's; what the file made of them stays as it is.

    A block of a task's would otherwise fall through a table where the file's geoms touch nothing unless they say so.

    Returns:
        Whether the file's were others.
    """
    plain, changed = mujoco.MjSpec(), False
    kinds = (
        (GEOM, spec.default.geom, plain.default.geom),
        (JOINT, spec.default.joint, plain.default.joint),
    )
    for fields, own, theirs in kinds:
        for field in fields:
            was, value = getattr(own, field), getattr(theirs, field)
            if repr(was) != repr(value):
                changed = True
                setattr(own, field, value)
    return changed
