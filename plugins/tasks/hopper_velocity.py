"""Hopper's family: hop at a given velocity."""

from __future__ import annotations

from plugins.tasks.hopper import Hopper
from studio.sim.tasks.families import Velocity


class HopperVelocity(Velocity, Hopper):
    """Reward 1 − |v − ω| − 0.001‖a‖² while it stands, ω uniform in [0, 2] m/s; ends in a fall, or after 4 s."""

    id = "hopper_velocity"
    title = "Hopper, velocity"
    summary = "Hops at the velocity given by the context, without falling."
    reference = "Transfer Studio; after Finn, Abbeel and Levine 2017, arXiv:1703.03400, section 5.3"
    gymnasium_id = "HopperVelocity-v0"
    horizon = 500
