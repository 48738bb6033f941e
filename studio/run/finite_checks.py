"""Ends a training whose losses or weights are NaN or infinite: nothing is learned from then on."""

from __future__ import annotations

import math
from typing import Any

from studio.contracts import Metrics
from studio.errors import StudioError


def check_losses(metrics: Metrics, field: str) -> None:
    """Raises StudioError, at the learning rate's field, where a loss is not finite: any value whose name ends so."""
    for name, value in metrics.values.items():
        if name.endswith("loss") and not math.isfinite(value):
            raise _broken(f"The {name.replace('_', ' ')} is {value}", metrics.step, field)


def check_weights(policy: Any, step: int, field: str) -> None:
    """Raises StudioError where a policy has a weight that is not finite: the last update may have made it so."""
    if not all(bool(weights.isfinite().all()) for weights in policy.parameters()):
        raise _broken("Policy weights contain NaN or Inf", step, field)


def _broken(what: str, step: int, field: str) -> StudioError:
    remedy = "Lower the learning rate, or look for broken values in the data."
    return StudioError(f"{what} at step {step}.", field, remedy)
