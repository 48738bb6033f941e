"""What MuJoCo reads in a URDF otherwise than its author means it: fixed links, and links without a mass."""

from __future__ import annotations

import re
from pathlib import Path

import mujoco

MASS, INERTIA = 0.1, 1e-3  # kg and kg·m², given to a moving link without a mass


def is_urdf(path: Path) -> bool:
    """Whether a model's file is a URDF, by its outermost element, as MuJoCo decides it."""
    outermost = re.search(r"<(robot|mujoco)[\s>/]", path.read_text(encoding="utf-8", errors="replace"))
    return outermost is not None and outermost.group(1) == "robot"


def prepare_urdf(spec: mujoco.MjSpec) -> list[str]:
    """Keep fixed links, which hold the tool's place, and give moving ones without a mass a small one.

    Args:
        spec: read from a URDF and not compiled.

    Returns:
        What was changed, in sentences.
    """
    spec.compiler.fusestatic = False
    weightless = [body for body in spec.bodies if body.joints and not _has_mass(body)]
    for body in weightless:
        body.mass, body.inertia, body.ipos, body.explicitinertial = MASS, [INERTIA] * 3, [0, 0, 0], True
    if not weightless:
        return []
    names = ", ".join(body.name for body in weightless)
    return [f"Links without a mass were given {MASS:g} kg: {names}."]


def _has_mass(body: mujoco.MjsBody) -> bool:
    """Whether a link, or one that is fixed to it, has a mass of its own or of its shapes."""
    if (body.explicitinertial and body.mass > 0) or any(geom.density > 0 or geom.mass > 0 for geom in body.geoms):
        return True
    return any(_has_mass(child) for child in body.bodies if not child.joints)
