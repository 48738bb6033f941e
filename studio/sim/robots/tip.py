"""The end of an arm, as a site that tasks ask for."""

from __future__ import annotations

import mujoco

from studio.sim.robots.names import free_name


def add_tip(spec: mujoco.MjSpec, model: mujoco.MjModel, body: int) -> list[str]:
    """Add a site where a body has none: in the middle of its mass, or at its origin where it has no mass.

    Returns:
        What was added, in sentences.
    """
    if any(model.site_bodyid == body):
        return []
    name = model.body(body).name
    site = free_name("studio_tip", {site.name for site in spec.sites})
    place = model.body_ipos[body] if model.body_mass[body] else [0, 0, 0]  # ipos is arbitrary without a mass
    spec.body(name).add_site(name=site, size=[0.005, 0, 0], pos=place)
    return [f"A site marks the end of the arm, at the body '{name}'."]
