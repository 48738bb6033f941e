"""Checks for NaN and infinity in losses and weights: a training that has them learns nothing any more."""

from __future__ import annotations

import math
from typing import Any

from studio.contracts import Metrics
from studio.errors import StudioError


def check_losses(metrics: Metrics, field: str) -> None:
    """Raise StudioError, at the learning rate's field, where a value whose name ends with "loss" is not finite."""
    for name, value in metrics.values.items():
        if name.endswith("loss") and not math.isfinite(value):
            raise _broken(f"The {name.replace('_', ' ')} is {value}", metrics.step, field)


def check_weights(policy: Any, step: int, field: str) -> None:
    """Raise StudioError where a weight of the policy is not finite."""
    if not all(bool(weights.isfinite().all()) for weights in policy.parameters()):
        raise _broken("Policy weights contain NaN or Inf", step, field)


def _broken(what: str, step: int, field: str) -> StudioError:
    remedy = "Lower the learning rate, or look for broken values in the data."
    return StudioError(f"{what} at step {step}.", field, remedy)
