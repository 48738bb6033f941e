"""What may be asked for, how far each quantity may lie from nominal, and the coordinate that identification works in.

Scale factors are searched in their logarithm, the delay in seconds; either is mapped to [−1, 1] over its range.
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
    """Some fields with their ranges."""

    fields: tuple[str, ...]
    low: Array
    high: Array

    @staticmethod
    def of(fields: Sequence[str], model: mujoco.MjModel, given: Mapping[str, tuple[float, float]] = {}) -> Ranges:
        """The ranges of ``fields``: ``given``, else the usual ones. A delay reaches no further than the model can hold.

        Raises:
            ExperimentError: a field is unknown or named twice, or a range is empty.
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
        """Values (…, fields) to [−1, 1]."""
        log = self._log
        low, high, x = (np.where(log, np.log(np.where(log, v, 1)), v) for v in (self.low, self.high, values))
        return np.asarray(2 * (x - low) / (high - low) - 1)

    def from_unit(self, unit: Array) -> Array:
        """[−1, 1] to values."""
        log = self._log
        low, high = (np.where(log, np.log(np.where(log, v, 1)), v) for v in (self.low, self.high))
        x = low + (np.asarray(unit) + 1) / 2 * (high - low)
        return np.asarray(np.where(log, np.exp(np.where(log, x, 0)), x))

    def draw(self, count: int, seed: int, stream: int) -> Array:
        """(count, fields) values, uniform in the coordinate."""
        return self.from_unit(
            EpisodeRng(np.arange(count) + 1_000_003 * seed, stream).uniform(-1, 1, (len(self.fields),))
        )

    def named(self, values: Array) -> dict[str, Array]:
        """(n, fields) → field → (n,)."""
        return {name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(self.fields)}


def check_fields(fields: Sequence[str]) -> None:
    """Raises ExperimentError where a field is unknown or named twice, or there is none."""
    known = f"Known: {', '.join(FIELDS)}."
    if not fields or len(set(fields)) != len(fields):
        raise ExperimentError("Name at least one field, and none twice.", "fields", known)
    for name in fields:
        if name not in RANGES:
            raise ExperimentError(f"'{name}' cannot be identified.", "fields", known)


def longest_delay(model: mujoco.MjModel) -> float:
    """What the model's command history can hold, s."""
    if model.nu == 0 or not model.nhistory:
        return 0.0
    return float((model.actuator_history[:, 0].min() - 1) * model.opt.timestep)
