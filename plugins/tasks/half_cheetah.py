"""HalfCheetah: run forward."""

from __future__ import annotations

from studio.sim.tasks.motor_task import ForwardTask


class HalfCheetah(ForwardTask):
    """As Gymnasium's HalfCheetah-v5."""

    id = "half_cheetah"
    title = "HalfCheetah"
    summary = "A two-legged planar robot runs forward as fast as it can."
    reference = "Gymnasium HalfCheetah-v5; Wawrzyński 2009"
    gymnasium_id = "HalfCheetah-v5"
    embodiment_id = "half_cheetah"
    control_hz = 20.0
    noise = 0.1
    normal_velocity = True
    effort_cost = 0.1
