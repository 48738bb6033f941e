"""Calibrate a simulation: randomize it around the estimates."""

from __future__ import annotations

from collections.abc import Mapping

from studio.errors import ExperimentError
from studio.experiment import Domain, Experiment, RandomizationTerm
from studio.sysid.estimate import Estimate
from studio.sysid.ranges import RANGES


def chosen(found: Mapping[str, Estimate]) -> dict[str, float]:
    """Return field → estimate of the identifiable parameters."""
    return {name: estimate.value for name, estimate in found.items() if estimate.identifiable}


def terms_around(domain: Domain, found: Mapping[str, Estimate], margin: float = 0.0) -> list[RandomizationTerm]:
    """Return the domain's randomization with every identifiable parameter drawn from its interval; other terms stay.

    Args:
        margin: by what fraction of the estimate the interval is extended, within the searched range.
    """
    shown = {name: estimate for name, estimate in found.items() if estimate.identifiable}
    kept = [term for term in domain.randomization if term.field not in shown]
    return kept + [
        RandomizationTerm.model_validate(
            {
                "field": name,
                "low": max(estimate.low - margin * estimate.value, RANGES[name][0]),
                "high": min(estimate.high + margin * estimate.value, RANGES[name][1]),
            }
        )
        for name, estimate in shown.items()
    ]


def simulation_of(experiment: Experiment, role: str) -> str:
    """Return the role, ``source`` or ``target``, of the domain that simulates the robot of ``role`` and may be
    calibrated.

    It is the domain itself, unless a stand-in robot takes its place: then the domain is the robot, and the other domain
    simulates it.

    Raises:
        ExperimentError: no domain simulates that robot.
    """
    robot = experiment.domains[role].embodiment
    for name in (role, "source", "target"):
        domain = experiment.domains[name]
        if domain.hidden_dynamics is None and domain.embodiment == robot:
            return name
    other = "source" if role == "target" else "target"
    raise ExperimentError(
        f"A stand-in robot takes the {role}'s place, and the {other} does not simulate '{robot}'.",
        f"{other}.embodiment",
        f"Give the {other} that embodiment and no stand-in.",
    )
