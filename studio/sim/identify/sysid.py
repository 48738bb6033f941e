"""The same problem by ``mujoco.sysid``: box-constrained nonlinear least squares over batched simulation.

The toolbox's own residual knows neither a friction scale nor MuJoCo's delay, so it gets ours, which simulates every
candidate of a finite difference at once; parameters, optimizer and confidence intervals are the toolbox's.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from studio.sim.identify.estimate import LEVEL, Estimate, estimates
from studio.sim.identify.plant import Plant, Tick
from studio.sim.identify.ranges import Ranges
from studio.sim.identify.sensitivity import PRIOR, derivative, flat, measurements, sensitivity
from studio.sim.identify.trajectories import LEAST_STEPS, Trajectories

Array = np.ndarray
STARTS = 64  # random points that are tried
MOST_DESCENTS = 5  # from the best of them
MOST_ITERATIONS = 25  # of one horizon's
HORIZONS = (0.25, 0.5, 1.0)  # shares of the recordings
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
    smooth, timestep = plant.with_smooth_delay(), plant.model.opt.timestep

    def apart(units: Array, seen: Trajectories) -> Array:
        """(k, fields) → (k, measurements)."""
        measured = flat(seen, seen.qpos[None], seen.qvel[None])[0]
        return np.nan_to_num(measurements(smooth, seen, ranges, units) - measured, nan=_FAR)

    def descend(start: Array, seen: Trajectories) -> tuple[Array, Array]:
        def residual(x: Array, _: Any) -> tuple[list[Array], None, None]:
            columns = np.asarray(x, float).reshape(len(ranges.fields), -1)  # the optimizer asks for (fields, k)
            return [apart(columns.T, seen).T], None, None

        parameters = sysid.ParameterDict()
        for name, value in zip(ranges.fields, np.clip(start, -0.98, 0.98), strict=True):
            parameters.add(sysid.Parameter(name, value, -1.0, 1.0))
        best, result = sysid.optimize(
            parameters,
            residual,
            optimizer="mujoco",
            verbose=False,
            jacobian=lambda x, _: derivative(smooth, seen, ranges, x.ravel()),
            max_iters=MOST_ITERATIONS,
            xtol=1e-5,
            mu_factor=10**0.5,  # ten times fewer vain attempts where nothing more is to be gained
            output=io.StringIO(),  # it prints its iterations
        )
        return best.as_vector(), result.jac

    # Hits and slips make many valleys. A short horizon has few, so each fit begins where that of a shorter one ended;
    # and another start is tried while what is left is more than the sensors' noise.
    found: list[tuple[Array, Array, float]] = []
    horizons = [max(LEAST_STEPS // 2, round(trajectories.steps * share)) for share in HORIZONS]
    for attempt, unit in enumerate(_starts(lambda u: apart(u, trajectories.until(horizons[0])), ranges, seed)):
        for stage, steps in enumerate(horizons):
            unit, jacobian = descend(unit, trajectories.until(steps))
            tell((attempt + (stage + 1) / len(horizons)) / MOST_DESCENTS)
        left = float(np.sqrt(np.mean(apart(unit[None], trajectories)[0] ** 2)))
        found.append((unit, jacobian, left))
        if left < EXPLAINED:
            break
    tell(1.0)
    unit, jacobian, _ = min(found, key=lambda each: each[2])
    # what is known before counts as one more measurement of each: without it one direction that shows nothing makes
    # every interval infinite
    count = len(ranges.fields)
    residuals = np.concatenate([apart(unit[None], trajectories)[0], np.zeros(count)])
    known = np.concatenate([jacobian, np.sqrt(PRIOR) * np.eye(count)])
    _, half = sysid.calculate_intervals([residuals], known, alpha=1 - LEVEL)
    grid = _grid(ranges, timestep)
    unit, half = unit - grid, half + grid
    return np.clip(unit, -1, 1), np.clip(unit - half, -1, 1), np.clip(unit + half, -1, 1)


def _starts(apart: Callable[[Array], Array], ranges: Ranges, seed: int) -> Array:
    """The points that fit best, of the middle of the ranges and random ones, (MOST_DESCENTS, fields)."""
    points = ranges.to_unit(ranges.draw(STARTS, seed, stream=3))
    points[0] = 0.0
    costs = np.sum(apart(points) ** 2, 1)
    return points[np.argsort(costs)[:MOST_DESCENTS]]


def _grid(ranges: Ranges, timestep: float) -> Array:
    """Half a time step in a delay's coordinate: a command reaches the actuator at the first step after its delay, so
    all delays from there back to the step before act alike, and what is found is the last of them."""
    return np.array([name == "actuator_delay" for name in ranges.fields]) * timestep / (ranges.high - ranges.low)
