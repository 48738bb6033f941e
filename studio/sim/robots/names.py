"""Names of a model's parts: unnamed parts get names, and names reserved for tasks are refused."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import mujoco

from studio.contracts import NAMESPACE
from studio.errors import DataError


def check_names(spec: mujoco.MjSpec, path: Path) -> None:
    """Raise DataError where a part of a model has a name that is reserved for tasks."""
    kinds = {"body": spec.bodies, "joint": spec.joints, "geom": spec.geoms, "site": spec.sites}
    for kind, parts in kinds.items():
        for part in parts:
            if part.name.startswith(NAMESPACE):
                words = f"The {kind} '{part.name}' has a name that belongs to the studio's tasks."
                raise DataError(words, str(path), f"Give it a name that does not begin with '{NAMESPACE}'.")


def name_parts(spec: mujoco.MjSpec) -> list[str]:
    """Name the bodies, joints, sites, actuators and keyframes that have no name. Return what was named, in sentences.

    An actuator gets its joint's name, everything else its kind and number.
    """
    changes = []
    kinds = {
        "body": ("bodies", spec.bodies),
        "joint": ("joints", spec.joints),
        "site": ("sites", spec.sites),
        "actuator": ("actuators", spec.actuators),
        "keyframe": ("keyframes", spec.keys),
    }
    for kind, (many, parts) in kinds.items():
        taken = {part.name for part in parts}
        unnamed = [(number, part) for number, part in enumerate(parts) if not part.name]
        for number, part in unnamed:
            target = part.target if kind == "actuator" else ""
            part.name = free_name(target or f"studio_{kind}_{number}", taken)
            taken.add(part.name)
        if unnamed:
            names = ", ".join(part.name for _, part in unnamed[:3]) + (" and others" if len(unnamed) > 3 else "")
            changes.append(f"{len(unnamed)} unnamed {kind if len(unnamed) == 1 else many} got names: {names}.")
    return changes


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Return the name, with a number appended where it is taken."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
