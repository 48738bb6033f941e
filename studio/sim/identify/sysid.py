"""The same problem by ``mujoco.sysid``: box-constrained nonlinear least squares over batched simulation.

The toolbox's own residual knows neither a friction scale nor MuJoCo's delay, so it gets ours, which simulates every
candidate of a finite difference at once; parameters, optimizer and confidence intervals are the toolbox's.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from studio.sim.identify.estimate import LEVEL, Estimate, estimates
from studio.sim.identify.plant import Plant, Tick
from studio.sim.identify.ranges import Ranges
from studio.sim.identify.sensitivity import PRIOR, derivative, flat, measurements, sensitivity
from studio.sim.identify.trajectories import Trajectories

Array = np.ndarray
STARTS = 64  # random points that are tried
MOST_DESCENTS = 5  # from the best of them
MOST_ITERATIONS = 40  # of one descent
EXPLAINED = 1.3  # root mean square of what is left, in units of the sensors' noise, that counts as found
_FAR = 1e6  # of a residual whose simulation diverged, in units of the sensors' noise


def identify_with_sysid(
    plant: Plant, trajectories: Trajectories, ranges: Ranges, seed: int = 0, tick: Tick | None = None
) -> dict[str, Estimate]:
    """Field → estimate.

    Raises:
        DataError: the recordings do not fit the plant.
    """
    trajectories.check(plant.model)
    unit, low, high = fit_with_sysid(plant, trajectories, ranges, seed, tick)
    reasons = sensitivity(plant, trajectories, ranges, unit).reasons(ranges)
    return estimates(ranges, unit, low, high, reasons)


def fit_with_sysid(
    plant: Plant, trajectories: Trajectories, ranges: Ranges, seed: int = 0, tick: Tick | None = None
) -> tuple[Array, Array, Array]:
    """Estimate, low and high end of the 90% interval in the ranges' coordinate, (fields,) each."""
    from mujoco import sysid  # it imports SciPy, which nothing else here needs

    tell = tick or (lambda _: None)
    measured = flat(trajectories, trajectories.qpos[None], trajectories.qvel[None])[0]

    def apart(units: Array) -> Array:
        """(k, fields) → (k, measurements)."""
        return np.nan_to_num(measurements(plant, trajectories, ranges, units) - measured, nan=_FAR)

    def residual(x: Array, _: Any) -> tuple[list[Array], None, None]:
        columns = np.asarray(x, float).reshape(len(ranges.fields), -1)  # the optimizer asks for (fields, k)
        return [apart(columns.T).T], None, None

    def descend(start: Array) -> tuple[Array, Array, float]:
        parameters = sysid.ParameterDict()
        for name, value in zip(ranges.fields, start, strict=True):
            parameters.add(sysid.Parameter(name, value, -1.0, 1.0))
        best, result = sysid.optimize(
            parameters,
            residual,
            optimizer="mujoco",
            verbose=False,
            jacobian=lambda x, _: derivative(plant, trajectories, ranges, x.ravel()),
            max_iters=MOST_ITERATIONS,
            xtol=1e-5,
            output=io.StringIO(),  # it prints its iterations
            iter_callback=lambda trace: tell(min(len(trace) / MOST_ITERATIONS, 1.0)),
        )
        left = apart(best.as_vector()[None])[0]
        return best.as_vector(), result.jac, float(np.sqrt(np.mean(left**2)))

    # hits and slips make many valleys: another is tried while what is left is more than the sensors' noise
    found: list[tuple[Array, Array, float]] = []
    for start in _starts(apart, ranges, seed):
        found.append(descend(start))
        if found[-1][2] < EXPLAINED:
            break
    tell(1.0)
    unit, jacobian, _ = min(found, key=lambda each: each[2])
    # what is known before counts as one more measurement of each: without it one direction that shows nothing makes
    # every interval infinite
    count = len(ranges.fields)
    left = np.concatenate([apart(unit[None])[0], np.zeros(count)])
    known = np.concatenate([jacobian, np.sqrt(PRIOR) * np.eye(count)])
    _, half = sysid.calculate_intervals([left], known, alpha=1 - LEVEL)
    timestep = plant.model.opt.timestep
    half = half + _grid(ranges, timestep)
    unit = _on_grid(unit, ranges, timestep)
    return unit, np.clip(unit - half, -1, 1), np.clip(unit + half, -1, 1)


def _starts(apart: Any, ranges: Ranges, seed: int) -> Array:
    """The points that fit best, of the middle of the ranges and random ones, (MOST_DESCENTS, fields)."""
    points = ranges.to_unit(ranges.draw(STARTS, seed, stream=3))
    points[0] = 0.0
    costs = np.array([np.sum(row**2) for row in apart(points)])
    return np.asarray(np.clip(points[np.argsort(costs)[:MOST_DESCENTS]], -0.98, 0.98))


def _grid(ranges: Ranges, timestep: float) -> Array:
    """Half of what a delay must change by to change anything at all: it acts in whole time steps."""
    return np.array([name == "actuator_delay" for name in ranges.fields]) * timestep / (ranges.high - ranges.low)


def _on_grid(unit: Array, ranges: Ranges, timestep: float) -> Array:
    """Moves a delay to the middle of the delays that act alike."""
    values = ranges.from_unit(unit)
    for i, name in enumerate(ranges.fields):
        if name == "actuator_delay":
            values[i] = min((np.ceil(values[i] / timestep - 1e-6) - 0.5) * timestep, ranges.high[i])
            values[i] = max(values[i], ranges.low[i])
    return ranges.to_unit(values)
