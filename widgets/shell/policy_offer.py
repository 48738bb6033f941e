"""A policy that one panel offers, to be played in the viewport."""

from __future__ import annotations

from dataclasses import dataclass

from studio.contracts import Policy
from studio.experiment import Experiment


@dataclass(frozen=True)
class PolicyOffer:
    """What to play.

    Args:
        policy: who drives the robot; it may be changed by its owner while it does.
        experiment: on whose target.
        name: what it is called in the viewport.
        beside: who drives a translucent robot in the same episodes; None: nobody.
        beside_name: what the legend calls that one.
    """

    policy: Policy
    experiment: Experiment
    name: str
    beside: Policy | None = None
    beside_name: str = ""
