"""Defaults of a model's file: parts that the studio or a task adds later do not inherit them."""

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
    """Replace the file's defaults for geoms and joints by MuJoCo's own; the file's parts stay as they are.

    Otherwise a task's block would inherit, for example, that geoms have no contacts, and fall through the table.

    Returns:
        Whether the file's defaults differed from MuJoCo's.
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
