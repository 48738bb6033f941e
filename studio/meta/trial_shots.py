"""Whether a policy with the memory of a trial is asked for shots that its training had."""

from __future__ import annotations

from studio.contracts import Problem
from studio.experiment import Experiment


def check_trial_shots(experiment: Experiment, trial: int, field: str) -> list[Problem]:
    """Return the problem of shots behind which the policy acts later in a trial than it ever did in training.

    Args:
        trial: episodes of a trial in training, which the memory lasts over.
        field: the dotted one of the strategy's settings.
    """
    most = max(experiment.evaluation.shots)
    if most < trial:
        return []
    message = f"After {most} shots the policy acts in episode {most + 1} of a trial; it is trained on {trial}."
    fewer = (
        f"Ask for at most {trial - 1} shot{'s' * (trial > 2)}, or set"
        if trial > 1
        else "Score it before any shot ([0]), or set"
    )
    return [Problem("evaluation.shots", message, f"{fewer} {field}.trial to {most + 1}.")]
