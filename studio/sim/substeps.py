"""How many of the integrator's steps each part of a control step takes, so that the control rate is exact."""

from __future__ import annotations

import itertools
import math

import numpy as np

Array = np.ndarray

PARTS = 4  # a control step passes in this many parts: servos are not jerked, and a viewer sees what is between
_EQUAL = 1e-6  # model steps; nearer than this a number of steps counts as whole


class SubstepSchedule:
    """The integrator's steps within control steps: after control step number n of an episode as many have passed as
    fit into ``n / control_hz`` seconds.

    Where the control rate is no whole multiple of the model's, control steps differ by one integrator step, by their
    number in the episode alone: a trajectory depends on nothing but its own episode.

    Args:
        control_hz: control steps a second.
        timestep: of the model, s.
    """

    def __init__(self, control_hz: float, timestep: float) -> None:
        self._per_step = 1 / (control_hz * timestep)
        whole = round(self._per_step)
        self._same: tuple[int, ...] | None = None  # of each part, where all control steps are alike
        if abs(self._per_step - whole) < _EQUAL:
            ends = [math.floor(whole * part / PARTS + _EQUAL) for part in range(PARTS + 1)]
            self._same = tuple(end - start for start, end in itertools.pairwise(ends))

    def of_part(self, part: int, steps: Array) -> Array | int:
        """The integrator's steps in part ``part`` (from 1) of control step number ``steps`` (n,) (from 1) of episodes:
        a number where it is the same for all, else (n,) integers."""
        if self._same is not None:
            return self._same[part - 1]
        counts = self._until(steps - 1 + part / PARTS) - self._until(steps - 1 + (part - 1) / PARTS)
        return _common(counts)

    def of_step(self, steps: Array) -> Array | int:
        """The integrator's steps in the whole of control step number ``steps`` (n,) (from 1), as :meth:`of_part`."""
        if self._same is not None:
            return sum(self._same)
        return _common(self._until(steps) - self._until(steps - 1))

    def _until(self, control_steps: Array) -> Array:
        return np.floor(control_steps * self._per_step + _EQUAL).astype(int)


def _common(counts: Array) -> Array | int:
    first = int(counts[0]) if len(counts) else 0
    return first if (counts == first).all() else counts


def whole_rate(control_hz: float, timestep: float) -> float:
    """The control rate near ``control_hz`` at which every part of a control step takes equally many steps of the
    integrator: what a recording with one sample for each part needs."""
    return 1 / (PARTS * timestep * max(1, round(1 / (control_hz * timestep * PARTS))))
