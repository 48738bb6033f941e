"""The estimate of one parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.sim.randomization.fields import NOMINAL
from studio.sysid.ranges import Ranges

Array = np.ndarray
LEVEL = 0.9  # confidence level of the intervals
NARROWER = 3.0  # a parameter is identifiable if its interval is so many times narrower than the prior's


@dataclass(frozen=True)
class Estimate:
    """The estimate of one parameter, with its interval.

    Args:
        value: × nominal, a delay in s; NaN where the parameter is not identifiable.
        low, high: the 90% interval; where it is not identifiable the whole searched range.
        identifiable: whether the interval is at least three times narrower, in the parameter's logarithm (a delay: in
            s), than 90% of the range.
        nominal: the value that leaves the model as it is.
        reason: why it is not identifiable, in words; empty if it is.
    """

    value: float
    low: float
    high: float
    identifiable: bool
    nominal: float
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; the value is None where the parameter is not identifiable."""
        value = self.value if self.identifiable else None
        return {
            "value": value, "low": self.low, "high": self.high, "identifiable": self.identifiable,
            "nominal": self.nominal, "reason": self.reason,
        }  # fmt: skip


def estimates(ranges: Ranges, unit: Array, low: Array, high: Array, reasons: dict[str, str]) -> dict[str, Estimate]:
    """Return estimates from values and intervals (fields,) in the ranges' coordinate.

    Args:
        reasons: field → why it is not identifiable; such a field gets no value, however narrow its interval is.
    """
    shown = is_shown(low, high) & np.array([name not in reasons for name in ranges.fields])
    values, lows, highs = (ranges.from_unit(np.clip(x, -1, 1)) for x in (unit, low, high))
    found = {}
    for i, name in enumerate(ranges.fields):
        if shown[i]:
            found[name] = Estimate(float(values[i]), float(lows[i]), float(highs[i]), True, NOMINAL[name])
        else:
            reason = reasons.get(name) or "its effect on the recordings is too small against the sensors' noise"
            whole = float(ranges.low[i]), float(ranges.high[i])
            found[name] = Estimate(float("nan"), *whole, False, NOMINAL[name], reason)
    return found


def is_shown(low: Array, high: Array) -> Array:
    """Return whether intervals in the ranges' coordinate are narrow enough for an estimate, (fields,) bool."""
    return np.asarray(np.clip(high, -1, 1) - np.clip(low, -1, 1) <= 2 * LEVEL / NARROWER)
