"""Swimmer: swim forward."""

from __future__ import annotations

from studio.sim.tasks.motor_task import ForwardTask


class Swimmer(ForwardTask):
    """As Gymnasium's Swimmer-v5."""

    id = "swimmer"
    title = "Swimmer"
    summary = "A three-link robot swims forward in a viscous plane."
    reference = "Gymnasium Swimmer-v5; Coulom 2002"
    gymnasium_id = "Swimmer-v5"
    embodiment_id = "swimmer"
    control_hz = 25.0
    noise = 0.1
    effort_cost = 1e-4
    skipped = 2
