"""Ground that a body runs on: without an end, or a disc from whose edge it falls."""

from __future__ import annotations

from typing import Any

import mujoco

from studio.contracts import task_name

ENDLESS = 1000.0  # m from the middle: no episode comes to its end
THICK = 0.5  # m
DEEP = 4.0  # m beneath the disc lies what can be seen of a floor


def lay(spec: mujoco.MjSpec, radius: float = 0.0) -> None:
    """Put a block in the place of the model's floor (the geom ``floor``, a plane at height 0).

    Contacts with a block and with a disc are the same to the last digits, with a plane they are others: so two worlds
    differ in nothing but the edge.

    Args:
        radius: of the disc, m; 0: there is no edge.
    """
    floor = next(geom for geom in spec.geoms if geom.name == "floor")
    shape, size = (mujoco.mjtGeom.mjGEOM_CYLINDER, [radius, THICK, 0]) if radius else (_BOX, [ENDLESS, ENDLESS, THICK])
    same: dict[str, Any] = {
        name: getattr(floor, name)
        for name in ("condim", "contype", "conaffinity", "priority", "friction", "margin", "solref", "solimp")
    }
    # on ground without an end the plane is seen instead
    look = {"rgba": [0.40, 0.43, 0.48, 1]} if radius else {"rgba": [0, 0, 0, 0], "group": 3}
    spec.worldbody.add_geom(name=task_name("ground"), type=shape, size=size, pos=[0, 0, -THICK], **same, **look)
    floor.contype = floor.conaffinity = 0
    if radius:
        floor.pos = [0, 0, -DEEP]


_BOX = mujoco.mjtGeom.mjGEOM_BOX
