"""The parameters that can be identified, their ranges, and the normalized coordinate that identification works in.

Scale factors are searched in their logarithm, the delay in seconds; both are mapped to [−1, 1] over their range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from studio.errors import ExperimentError
from studio.rng import EpisodeRng

Array = np.ndarray

# field: (low, high); × nominal, the delay in s
RANGES: dict[str, tuple[float, float]] = {
    "friction": (0.4, 2.0),
    "mass": (0.5, 2.0),
    "damping": (0.4, 2.5),
    "armature": (0.5, 2.0),
    "actuator_gain": (0.5, 2.0),
    "actuator_delay": (0.0, 0.05),
}
FIELDS = tuple(RANGES)


@dataclass(frozen=True)
class Ranges:
    """Fields with their ranges."""

    fields: tuple[str, ...]
    low: Array
    high: Array

    @staticmethod
    def of(fields: Sequence[str], model: mujoco.MjModel, given: Mapping[str, tuple[float, float]] = {}) -> Ranges:
        """Return the ranges of ``fields``: ``given``, else the default ones. A delay is limited to the model's longest.

        Raises:
            ExperimentError: a field is unknown or repeated, or a range is empty.
        """
        check_fields(fields)
        limits = []
        for name in fields:
            low, high = given.get(name, RANGES[name])
            if name == "actuator_delay":
                high = min(high, longest_delay(model))
            if not low < high or (low <= 0 and name != "actuator_delay"):
                raise ExperimentError(f"The range {low:g} to {high:g} of {name} is empty.", "ranges", "Widen it.")
            limits.append((low, high))
        low_, high_ = np.array(limits, float).T
        return Ranges(tuple(fields), low_, high_)

    @property
    def _log(self) -> Array:
        return np.array([name != "actuator_delay" for name in self.fields])

    def to_unit(self, values: Array) -> Array:
        """Return values (…, fields) mapped to [−1, 1]."""
        log = self._log
        low, high, x = (np.where(log, np.log(np.where(log, v, 1)), v) for v in (self.low, self.high, values))
        return np.asarray(2 * (x - low) / (high - low) - 1)

    def from_unit(self, unit: Array) -> Array:
        """Return points in [−1, 1] (…, fields) mapped to values."""
        log = self._log
        low, high = (np.where(log, np.log(np.where(log, v, 1)), v) for v in (self.low, self.high))
        x = low + (np.asarray(unit) + 1) / 2 * (high - low)
        return np.asarray(np.where(log, np.exp(np.where(log, x, 0)), x))

    def draw(self, count: int, seed: int, stream: int) -> Array:
        """Return values (count, fields) drawn uniformly in the coordinate."""
        return self.from_unit(
            EpisodeRng(np.arange(count) + 1_000_003 * seed, stream).uniform(-1, 1, (len(self.fields),))
        )

    def named(self, values: Array) -> dict[str, Array]:
        """Return values (n, fields) as field → (n,)."""
        return {name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(self.fields)}


def check_fields(fields: Sequence[str]) -> None:
    """Raise ExperimentError where a field is unknown or repeated, or there is none."""
    known = f"Known: {', '.join(FIELDS)}."
    if not fields:
        raise ExperimentError("There is no parameter to identify.", "fields", f"Name at least one. {known}")
    for name in fields:
        if list(fields).count(name) > 1:
            raise ExperimentError(f"'{name}' is listed more than once.", "fields", "List it once.")
        if name not in RANGES:
            raise ExperimentError(f"'{name}' cannot be identified.", "fields", known)


def longest_delay(model: mujoco.MjModel) -> float:
    """Return the longest delay that the model's command history can hold, s."""
    if model.nu == 0 or not model.nhistory:
        return 0.0
    return float((model.actuator_history[:, 0].min() - 1) * model.opt.timestep)
