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
MOST_DESCENTS = 3  # from the best of them
MOST_ITERATIONS = 25  # of one horizon's
HORIZONS = (0.25, 0.5, 1.0)  # shares of the recordings
EXPLAINED = 1.1  # root mean square of what is left, in units of the sensors' noise, that counts as found
ALIKE = 1.5  # how much more another fit may leave and count as well
_PINNED = 1e-6  # how far a parameter that is held may move
_INSIDE = 0.99  # a descent begins off the bounds, in whose corners it can stall
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

    def descend(start: Array, seen: Trajectories, pinned: int = -1) -> tuple[Array, Array]:
        def residual(x: Array, _: Any) -> tuple[list[Array], None, None]:
            columns = np.asarray(x, float).reshape(len(ranges.fields), -1)  # the optimizer asks for (fields, k)
            return [apart(columns.T, seen).T], None, None

        parameters = sysid.ParameterDict()
        inside = np.clip(start, -_INSIDE, _INSIDE)
        for i, (name, value) in enumerate(zip(ranges.fields, inside, strict=True)):
            low, high = (value - _PINNED, value + _PINNED) if i == pinned else (-1.0, 1.0)
            parameters.add(sysid.Parameter(name, value, low, high))
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

    def left_by(unit: Array) -> float:
        return float(np.sqrt(np.mean(apart(unit[None], trajectories)[0] ** 2)))

    # Hits and slips make many valleys. A short horizon has few, so each fit begins where that of a shorter one ended;
    # while what is left is more than the sensors' noise, the delays of whole time steps nearby, where the interpolated
    # delay is the true one, are tried, and then another start.
    found: list[tuple[Array, Array, float]] = []
    horizons = [max(LEAST_STEPS // 2, round(trajectories.steps * share)) for share in HORIZONS]
    for attempt, unit in enumerate(_starts(lambda u: apart(u, trajectories.until(horizons[0])), ranges, seed)):
        for stage, steps in enumerate(horizons):
            unit, jacobian = descend(unit, trajectories.until(steps))
            tell((attempt + (stage + 1) / len(horizons)) / MOST_DESCENTS)
        found.append((unit, jacobian, left_by(unit)))
        if found[-1][2] > EXPLAINED:
            for near in _whole_delays(unit, ranges, timestep):
                unit, jacobian = descend(near, trajectories, ranges.fields.index("actuator_delay"))
                found.append((unit, jacobian, left_by(unit)))
        if min(left for *_, left in found) < EXPLAINED:
            break
    tell(1.0)
    unit, jacobian, least = min(found, key=lambda each: each[2])
    # a fit that leaves more than noise is one valley of several; those that fit about as well are as likely
    alike = [other for other, _, left in found if least > EXPLAINED and left < ALIKE * least]
    apart_by = np.max([np.abs(other - unit) for other in alike], axis=0) if alike else np.zeros(len(unit))
    # what is known before counts as one more measurement of each: without it one direction that shows nothing makes
    # every interval infinite
    count = len(ranges.fields)
    residuals = np.concatenate([apart(unit[None], trajectories)[0], np.zeros(count)])
    known = np.concatenate([jacobian, np.sqrt(PRIOR) * np.eye(count)])
    _, half = sysid.calculate_intervals([residuals], known, alpha=1 - LEVEL)
    grid = _grid(ranges, timestep)
    unit, half = unit - grid, np.maximum(half, apart_by) + grid
    return np.clip(unit, -1, 1), np.clip(unit - half, -1, 1), np.clip(unit + half, -1, 1)


def _starts(apart: Callable[[Array], Array], ranges: Ranges, seed: int) -> Array:
    """The points that fit best, of the middle of the ranges and random ones, (MOST_DESCENTS, fields)."""
    points = ranges.to_unit(ranges.draw(STARTS, seed, stream=3))
    points[0] = 0.0
    costs = np.sum(apart(points) ** 2, 1)
    return points[np.argsort(costs)[:MOST_DESCENTS]]


def _whole_delays(unit: Array, ranges: Ranges, timestep: float) -> list[Array]:
    """The point with its delay moved to each of the four nearest whole numbers of time steps; none without a delay."""
    if "actuator_delay" not in ranges.fields:
        return []
    i = ranges.fields.index("actuator_delay")
    values = ranges.from_unit(unit)
    below = np.floor(values[i] / timestep)
    points = []
    for steps in (below, below + 1, below - 1, below + 2):
        moved = values.copy()
        moved[i] = steps * timestep
        if ranges.low[i] <= moved[i] <= ranges.high[i] * (1 + 1e-9):
            points.append(np.clip(ranges.to_unit(moved), -1, 1))
    return points


def _grid(ranges: Ranges, timestep: float) -> Array:
    """Half a time step in a delay's coordinate: a command reaches the actuator at the first step after its delay, so
    all delays from there back to the step before act alike, and what is found is the last of them."""
    return np.array([name == "actuator_delay" for name in ranges.fields]) * timestep / (ranges.high - ranges.low)
