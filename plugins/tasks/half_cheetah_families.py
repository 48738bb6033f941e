"""HalfCheetah's families: forward or backward, and at a given velocity."""

from __future__ import annotations

from collections.abc import Sequence

from plugins.tasks.half_cheetah import HalfCheetah
from studio.contracts import ReferenceLine
from studio.sim.tasks.families import Direction, Velocity


class HalfCheetahDirection(Direction, HalfCheetah):
    """Reward ω·v − 0.05‖a‖², ω = ±1. An oracle's return is about 400 (MAML, figure 5)."""

    id = "half_cheetah_direction"
    title = "HalfCheetah, direction"
    summary = "Runs forward or backward, as the context says."
    reference = "Finn, Abbeel and Levine 2017, arXiv:1703.03400, section 5.3"
    gymnasium_id = "HalfCheetahDirection-v0"
    effort_cost = 0.05

    def reference_lines(self, context: Sequence[float]) -> Sequence[ReferenceLine]:
        source = "arXiv:1703.03400, figure 5"
        return (
            ReferenceLine("oracle", (400.0,), source, of_family=True),
            ReferenceLine("MAML", (0.0, 300.0), source, of_family=True),
        )


class HalfCheetahVelocity(Velocity, HalfCheetah):
    """Reward −|v − ω| − 0.05‖a‖², ω uniform in [0, 2] m/s."""

    id = "half_cheetah_velocity"
    title = "HalfCheetah, velocity to 2 m/s (MAML)"
    summary = "Runs at the velocity given by the context, 0 to 2 m/s (MAML's range)."
    reference = "Finn, Abbeel and Levine 2017, arXiv:1703.03400, section 5.3"
    gymnasium_id = "HalfCheetahVelocity-v0"
    effort_cost = 0.05


class HalfCheetahVelocity3(HalfCheetahVelocity):
    """The same with ω uniform in [0, 3] m/s, as in PEARL's code and in VariBAD's."""

    id = "half_cheetah_velocity_3"
    title = "HalfCheetah, velocity to 3 m/s (PEARL)"
    summary = "Runs at the velocity given by the context, 0 to 3 m/s (PEARL's range)."
    reference = "Rakelly et al. 2019 (PEARL), arXiv:1903.08254, section 6.1"
    gymnasium_id = "HalfCheetahVelocity3-v0"
    ranges = ((0.0, 3.0),)
