"""What the recordings can show at all: how much they change with each parameter, against the sensors' noise.

With J the derivative of the measurements by the parameters, in units of the noise, and a broad prior,
(JᵀJ + prior)⁻¹ is the least covariance any method can reach near that point (Cramér and Rao). A parameter
whose column is zero changes nothing; one whose column others can imitate shows only together with them.
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
PRIOR = 0.3  # one over the variance of what is known before; broad, so that the range never passes for information
_NORMAL = 2 * 1.645  # width of a normal's central 90% in standard deviations
_TOGETHER = 0.4  # correlation from which two parameters are said to hide each other


@dataclass(frozen=True)
class Sensitivity:
    """(fields,) standard deviations in the ranges' coordinate: the others known, and the others unknown too.

    ``correlation`` is (fields, fields), of what is left unknown. ``jacobian`` is (measurements, fields), in units of
    the noise.
    """

    alone: Array
    among: Array
    correlation: Array
    jacobian: Array

    def reasons(self, ranges: Ranges) -> dict[str, str]:
        """Field → why it cannot be identified, for those that cannot."""
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
                found[name] = f"it shows only together with {named}: other values of all of them move the same"
        return found


def sensitivity(plant: Plant, trajectories: Trajectories, ranges: Ranges, unit: Array | None = None) -> Sensitivity:
    """Central finite differences of the trajectories around ``unit`` (fields,), by default the middle of the ranges.

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
    """d measurements / d coordinate at ``unit``, in units of the sensors' noise, (measurements, fields).

    Columns of fields that are not among ``free`` are zero; None: all are.
    """
    columns = np.arange(len(unit)) if free is None else np.asarray(free, int)
    steps = np.diag(steps_of(ranges, plant.model.opt.timestep))[columns]
    points = np.concatenate([np.minimum(unit + steps, 1), np.maximum(unit - steps, -1)])
    ahead, behind = points[: len(columns)], points[len(columns) :]
    seen = measurements(plant, trajectories, ranges, points)
    found = np.zeros((seen.shape[1], len(unit)))
    found[:, columns] = (seen[: len(columns)] - seen[len(columns) :]).T / np.sum(ahead - behind, axis=1)
    return np.nan_to_num(found)


def steps_of(ranges: Ranges, timestep: float) -> Array:
    """Steps for finite differences; a delay acts in whole time steps, so less than one shows nothing."""
    steps = np.full(len(ranges.fields), STEP)
    if "actuator_delay" in ranges.fields:
        i = ranges.fields.index("actuator_delay")
        steps[i] = min(2 * timestep / (ranges.high[i] - ranges.low[i]), 1.0)
    return steps


def measurements(plant: Plant, trajectories: Trajectories, ranges: Ranges, units: Array) -> Array:
    """What would be measured under each of ``units`` (k, fields), in units of the sensors' noise, (k, measurements)."""
    qpos, qvel = plant.replay(trajectories, ranges.named(ranges.from_unit(units)))
    return flat(trajectories, qpos, qvel)


def flat(trajectories: Trajectories, qpos: Array, qvel: Array) -> Array:
    """(k, n, T + 1, ·) states as (k, measurements), each in units of its sensor's noise, the beginning left out."""
    position, velocity = trajectories.noise
    parts = [qpos[:, :, 1:].reshape(len(qpos), -1) / position]
    if trajectories.has_velocities:
        parts.append(qvel[:, :, 1:].reshape(len(qvel), -1) / velocity)
    return np.concatenate(parts, 1)
