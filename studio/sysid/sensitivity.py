"""Identifiability: how much the recordings change with each parameter, relative to the sensors' noise.

With J the derivative of the measurements by the parameters, in units of the noise, and a broad prior,
(JᵀJ + prior)⁻¹ is the least covariance that any method can reach near that point (Cramér and Rao). A parameter whose
column is zero has no effect; one whose column is nearly a combination of others is confounded with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.sysid.estimate import LEVEL, NARROWER
from studio.sysid.plant import Plant
from studio.sysid.ranges import Ranges
from studio.sysid.trajectories import Trajectories

Array = np.ndarray
STEP = 1e-3  # of the finite differences, in the ranges' coordinate
PRIOR = 0.3  # precision of the prior; broad, so that the range alone never counts as information
_NORMAL = 2 * 1.645  # width of a normal's central 90% in standard deviations
_TOGETHER = 0.4  # correlation from which two parameters count as confounded


@dataclass(frozen=True)
class Sensitivity:
    """Standard deviations in the ranges' coordinate, (fields,): ``alone``, with the other parameters known, and
    ``among``, with all unknown.

    ``correlation`` is the posterior's, (fields, fields). ``jacobian`` is (measurements, fields), in units of the noise.
    """

    alone: Array
    among: Array
    correlation: Array
    jacobian: Array

    def reasons(self, ranges: Ranges) -> dict[str, str]:
        """Return field → why it is not identifiable, for those that are not."""
        limit = 2 * LEVEL / NARROWER / _NORMAL
        found = {}
        for i, name in enumerate(ranges.fields):
            if self.alone[i] > limit:
                found[name] = "the recordings do not change with it"
            elif self.among[i] > limit:
                others = [
                    other
                    for j, other in enumerate(ranges.fields)
                    if j != i and abs(self.correlation[i, j]) > _TOGETHER and self.among[j] > limit
                ]
                named = ", ".join(others) or "others"
                found[name] = f"it is confounded with {named}: other values of all of them give the same motion"
        return found


def sensitivity(plant: Plant, trajectories: Trajectories, ranges: Ranges, unit: Array | None = None) -> Sensitivity:
    """Compute the sensitivity by central finite differences around ``unit`` (fields,), by default the ranges' center.

    Raises:
        DataError: the recordings do not fit the plant.
    """
    point = np.zeros(len(ranges.fields)) if unit is None else np.asarray(unit, float)
    jacobian = derivative(plant, trajectories, ranges, point)
    information = jacobian.T @ jacobian
    prior = PRIOR * np.eye(len(point))
    covariance = np.linalg.inv(information + prior)
    among = np.sqrt(np.diag(covariance))
    alone = 1 / np.sqrt(np.diag(information) + PRIOR)
    return Sensitivity(alone, among, covariance / np.outer(among, among), jacobian)


def derivative(
    plant: Plant, trajectories: Trajectories, ranges: Ranges, unit: Array, free: Sequence[int] | None = None
) -> Array:
    """Return d measurements / d coordinate at ``unit``, in units of the sensors' noise, (measurements, fields).

    Columns of fields that are not among ``free`` are zero; None: all are.
    """
    columns = np.arange(len(unit)) if free is None else np.asarray(free, int)
    steps = np.diag(steps_of(ranges, plant.model.opt.timestep))[columns]
    points = np.concatenate([np.minimum(unit + steps, 1), np.maximum(unit - steps, -1)])
    above, below = points[: len(columns)], points[len(columns) :]
    measured = measurements(plant, trajectories, ranges, points)
    jacobian = np.zeros((measured.shape[1], len(unit)))
    jacobian[:, columns] = (measured[: len(columns)] - measured[len(columns) :]).T / np.sum(above - below, axis=1)
    return np.nan_to_num(jacobian)


def steps_of(ranges: Ranges, timestep: float) -> Array:
    """Return the steps of the finite differences; a delay acts in whole time steps, so a smaller step has no effect."""
    steps = np.full(len(ranges.fields), STEP)
    if "actuator_delay" in ranges.fields:
        i = ranges.fields.index("actuator_delay")
        steps[i] = min(2 * timestep / (ranges.high[i] - ranges.low[i]), 1.0)
    return steps


def measurements(plant: Plant, trajectories: Trajectories, ranges: Ranges, units: Array) -> Array:
    """Return the simulated measurements (k, measurements) of points (k, fields), in units of the sensors' noise."""
    qpos, qvel = plant.replay(trajectories, ranges.named(ranges.from_unit(units)))
    return flat(trajectories, qpos, qvel)


def flat(trajectories: Trajectories, qpos: Array, qvel: Array) -> Array:
    """Return states (k, n, T + 1, ·) without the initial one as (k, measurements), in units of the sensors' noise."""
    position, velocity = trajectories.noise
    parts = [qpos[:, :, 1:].reshape(len(qpos), -1) / position]
    if trajectories.has_velocities:
        parts.append(qvel[:, :, 1:].reshape(len(qvel), -1) / velocity)
    return np.concatenate(parts, 1)
