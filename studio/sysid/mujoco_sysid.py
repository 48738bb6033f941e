"""Identification by ``mujoco.sysid``: box-constrained nonlinear least squares over batched simulation.

The toolbox's own residual supports neither a friction scale nor MuJoCo's delay, so it gets ours, which simulates all
points of a finite difference at once; parameters, optimizer and confidence intervals are the toolbox's.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np

from studio.sysid.estimate import LEVEL, Estimate, estimates
from studio.sysid.plant import Plant, Tick
from studio.sysid.ranges import Ranges
from studio.sysid.sensitivity import PRIOR, derivative, flat, measurements, sensitivity
from studio.sysid.trajectories import LEAST_STEPS, Trajectories

Array = np.ndarray
STARTS = 64  # random initial points that are evaluated
MOST_DESCENTS = 3  # of which the best so many are optimized
MOST_ITERATIONS = 25  # of the optimizer, per horizon
HORIZONS = (0.25, 0.5, 1.0)  # fractions of the recordings' length
CELLS_NEAR = 3  # delay cells on either side of the continuous delay's optimum
MOST_CELLS = 3  # of which the best so many are optimized
NEARLY, EXACTLY = 1e-3, 1e-5  # step tolerances of the smooth and of the true plant
RESTARTS = 3  # optimizations from points around the best one
JITTER = 5e-3  # distance of those points, in the ranges' coordinate
SIGMAS = 3.0  # a residual counts as noise within so many of its own standard deviations
ALIKE = 1.5  # fits with up to so many times the least residual count as equally good
_PINNED = 1e-6  # half-width of the box of a fixed parameter
_INSIDE = 0.99  # initial points are clipped to this, because the optimizer can stall in the corners of the box
_FAR = 1e6  # residual of a diverged simulation, in units of the sensors' noise


def identify_with_sysid(
    plant: Plant, trajectories: Trajectories, ranges: Ranges, seed: int = 0, tick: Tick | None = None
) -> dict[str, Estimate]:
    """Return field → estimate.

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
    """Return estimate, low and high end of the 90% interval in the ranges' coordinate, (fields,) each."""
    from mujoco import sysid  # it imports SciPy, which nothing else here needs
    from scipy import stats

    report = tick or (lambda _: None)
    smooth, cell = plant.with_smooth_delay(), _delay_cell(plant)

    def residuals_of(units: Array, recordings: Trajectories, model: Plant = plant) -> Array:
        """Return the residuals (k, measurements) of points (k, fields)."""
        measured = flat(recordings, recordings.qpos[None], recordings.qvel[None])[0]
        return np.nan_to_num(measurements(model, recordings, ranges, units) - measured, nan=_FAR)

    def optimize(start: Array, recordings: Trajectories, model: Plant, pinned: int = -1) -> Array:
        def residual(x: Array, _: Any) -> tuple[list[Array], None, None]:
            columns = np.asarray(x, float).reshape(len(ranges.fields), -1)  # the optimizer passes (fields, k)
            return [residuals_of(with_pinned(columns.T), recordings, model).T], None, None

        def with_pinned(units: Array) -> Array:
            """Return the points with the exact value of the fixed parameter: a delay of almost 0 differs from none."""
            units = np.array(units)
            if pinned >= 0:
                units[..., pinned] = start[pinned]
            return units

        def jacobian(x: Array, _: Any) -> Array:
            free = [i for i in range(x.size) if i != pinned]
            return derivative(model, recordings, ranges, with_pinned(x.ravel()), free)

        if pinned >= 0 and len(start) == 1:  # no parameter is free
            return start
        parameters = sysid.ParameterDict()
        inside = np.clip(start, -_INSIDE, _INSIDE)
        for i, (name, value) in enumerate(zip(ranges.fields, inside, strict=True)):
            low, high = (value - _PINNED, value + _PINNED) if i == pinned else (-1.0, 1.0)
            parameters.add(sysid.Parameter(name, value, low, high))
        best, _ = sysid.optimize(
            parameters,
            residual,
            optimizer="mujoco",
            verbose=False,
            jacobian=jacobian,
            max_iters=MOST_ITERATIONS,
            xtol=NEARLY if model is smooth else EXACTLY,
            mu_factor=10.0,  # fewer rejected steps near an optimum
            output=io.StringIO(),  # it prints its iterations
        )
        return with_pinned(best.as_vector())

    def misfit_of(units: Array) -> Array:
        return np.sqrt(np.mean(residuals_of(units, trajectories) ** 2, axis=1))

    # Impacts and slips cause many local minima. A short horizon has fewer, so each fit starts at the optimum of a
    # shorter horizon, with a continuous delay: this makes the delay searchable, but biases the other parameters. Each
    # fit is therefore refined in the true plant from the nearest delay cells, the best first, until one leaves no more
    # than the sensors' noise; if none does, the search starts again from another point.
    fits: list[tuple[Array, float]] = []
    delay = ranges.fields.index("actuator_delay") if "actuator_delay" in ranges.fields else -1
    explained = 1 + SIGMAS / np.sqrt(2 * flat(trajectories, trajectories.qpos[None], trajectories.qvel[None]).size)
    horizons = [max(LEAST_STEPS // 2, round(trajectories.steps * share)) for share in HORIZONS]
    first = trajectories.until(horizons[0])
    for attempt, unit in enumerate(_starts(lambda u: residuals_of(u, first, smooth), ranges, seed)):
        for stage, steps in enumerate(horizons):
            unit = optimize(unit, trajectories.until(steps), smooth)
            report((attempt + (stage + 1) / len(horizons)) / MOST_DESCENTS)
        near = _cells(unit, ranges, cell, delay)
        for point in near[np.argsort(misfit_of(near))[:MOST_CELLS]]:
            fitted = optimize(point, trajectories, plant, delay)
            fits.append((fitted, float(misfit_of(fitted[None])[0])))
            if fits[-1][1] < explained:
                break
        if fits[-1][1] < explained:
            break
    best = min(fits, key=lambda each: each[1])
    # with contacts the residual is rough around an optimum: optimizations from nearby points end in different minima
    rng, minima = np.random.default_rng(seed), [best]
    for _ in range(RESTARTS):
        start = best[0] + JITTER * rng.uniform(-1, 1, len(best[0]))
        if delay >= 0:
            start[delay] = best[0][delay]
        fitted = optimize(start, trajectories, plant, delay)
        minima.append((fitted, float(misfit_of(fitted[None])[0])))
    unit, least = min(minima, key=lambda each: each[1])
    report(1.0)
    # if the best fit leaves more than noise, other local optima that fit about as well are as likely
    optima = [other for other, left in fits if least > explained and left < ALIKE * least]
    distance = np.max([np.abs(other - unit) for other in [unit, *optima]], axis=0)
    # the true value deviates from the best minimum as the other minima do: Student's t of their spread
    others = [other for other, left in minima if other is not unit and left < max(explained, ALIKE * least)]
    roughness = np.zeros(len(unit))
    if others:
        spread = np.sqrt(np.mean([(other - unit) ** 2 for other in others], axis=0))
        roughness = stats.t.ppf((1 + LEVEL) / 2, len(others)) * spread
    # the prior counts as one more measurement of each parameter: without it, one direction without information would
    # make every interval infinite
    count = len(ranges.fields)
    residuals = np.concatenate([residuals_of(unit[None], trajectories)[0], np.zeros(count)])
    slopes = np.concatenate([derivative(plant, trajectories, ranges, unit), np.sqrt(PRIOR) * np.eye(count)])
    _, half = sysid.calculate_intervals([residuals], slopes, alpha=1 - LEVEL)
    half = np.maximum(np.hypot(half, roughness), distance)
    if delay >= 0:  # all delays of a cell have the same effect and are equally likely
        half[delay] += LEVEL * cell / (ranges.high[delay] - ranges.low[delay])
    return np.clip(unit, -1, 1), np.clip(unit - half, -1, 1), np.clip(unit + half, -1, 1)


def _starts(residuals_of: Callable[[Array], Array], ranges: Ranges, seed: int) -> Array:
    """Return the best of the ranges' center and random points, (MOST_DESCENTS, fields)."""
    points = ranges.to_unit(ranges.draw(STARTS, seed, stream=3))
    points[0] = 0.0
    costs = np.sum(residuals_of(points) ** 2, 1)
    return points[np.argsort(costs)[:MOST_DESCENTS]]


def _delay_cell(plant: Plant) -> float:
    """Return the width, s, of the cells within which all delays have the same effect.

    A command reaches the actuator at the first evaluation of the dynamics after its delay; Runge-Kutta's stages
    evaluate at half time steps.
    """
    runge_kutta = plant.model.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4
    return float(plant.model.opt.timestep) / (2 if runge_kutta else 1)


def _cells(unit: Array, ranges: Ranges, cell: float, delay: int) -> Array:
    """Return the point with its delay moved to the middle of each cell nearby, (k, fields); without a delay, itself."""
    if delay < 0:
        return unit[None]
    values = ranges.from_unit(unit)
    at = int(np.floor(values[delay] / cell))
    middles = (np.arange(at - CELLS_NEAR, at + CELLS_NEAR + 1) + 0.5) * cell
    middles[middles < 0] = 0  # no delay at all is a cell of its own
    middles = np.unique(middles[(middles >= ranges.low[delay]) & (middles <= ranges.high[delay])])
    points = np.repeat(values[None], len(middles), 0)
    points[:, delay] = middles
    return np.clip(ranges.to_unit(points), -1, 1)
