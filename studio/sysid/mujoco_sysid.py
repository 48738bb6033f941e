"""The same problem by ``mujoco.sysid``: box-constrained nonlinear least squares over batched simulation.

The toolbox's own residual knows neither a friction scale nor MuJoCo's delay, so it gets ours, which simulates every
candidate of a finite difference at once; parameters, optimizer and confidence intervals are the toolbox's.
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
STARTS = 64  # random points that are tried
MOST_DESCENTS = 3  # from the best of them
MOST_ITERATIONS = 25  # of one horizon's
HORIZONS = (0.25, 0.5, 1.0)  # shares of the recordings
CELLS_NEAR = 3  # cells of delay on either side of where the continuous delay ended
MOST_CELLS = 3  # of which this many are tried
NEARLY, EXACTLY = 1e-3, 1e-5  # steps at which a descent ends: on the way there, and in the true plant
RESTARTS = 3  # descents from around the best point
JITTER = 5e-3  # how far around, in the ranges' coordinate
SIGMAS = 3.0  # what is left counts as noise within this many of its own standard deviations
ALIKE = 1.5  # times what the best fit leaves: another may leave that and count as well
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
    from scipy import stats

    tell = tick or (lambda _: None)
    smooth, cell = plant.with_smooth_delay(), _delay_cell(plant)

    def apart(units: Array, seen: Trajectories, model: Plant = plant) -> Array:
        """(k, fields) → (k, measurements)."""
        measured = flat(seen, seen.qpos[None], seen.qvel[None])[0]
        return np.nan_to_num(measurements(model, seen, ranges, units) - measured, nan=_FAR)

    def descend(start: Array, seen: Trajectories, model: Plant, pinned: int = -1) -> Array:
        def residual(x: Array, _: Any) -> tuple[list[Array], None, None]:
            columns = np.asarray(x, float).reshape(len(ranges.fields), -1)  # the optimizer asks for (fields, k)
            return [apart(held(columns.T), seen, model).T], None, None

        def held(units: Array) -> Array:
            """Exactly where the pinned one is: the optimizer's is a hair beside it, where a delay of 0 is none."""
            units = np.array(units)
            if pinned >= 0:
                units[..., pinned] = start[pinned]
            return units

        def slope(x: Array, _: Any) -> Array:
            return derivative(model, seen, ranges, held(x.ravel()), [i for i in range(x.size) if i != pinned])

        if pinned >= 0 and len(start) == 1:  # nothing is free
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
            jacobian=slope,
            max_iters=MOST_ITERATIONS,
            xtol=NEARLY if model is smooth else EXACTLY,
            mu_factor=10.0,  # fewer vain attempts where nothing more is to be gained
            output=io.StringIO(),  # it prints its iterations
        )
        return held(best.as_vector())

    def left_by(units: Array) -> Array:
        return np.sqrt(np.mean(apart(units, trajectories) ** 2, axis=1))

    # Hits and slips make many valleys. A short horizon has few, so each fit begins where that of a shorter one ended,
    # with a delay that acts continuously: so it can be searched at all, but it bends the others. Each fit therefore
    # goes on in the true plant from the cells of delay nearby, the likeliest first, until one leaves no more than the
    # sensors' noise; where none does, from another start.
    found: list[tuple[Array, float]] = []
    delay = ranges.fields.index("actuator_delay") if "actuator_delay" in ranges.fields else -1
    explained = 1 + SIGMAS / np.sqrt(2 * flat(trajectories, trajectories.qpos[None], trajectories.qvel[None]).size)
    horizons = [max(LEAST_STEPS // 2, round(trajectories.steps * share)) for share in HORIZONS]
    first = trajectories.until(horizons[0])
    for attempt, unit in enumerate(_starts(lambda u: apart(u, first, smooth), ranges, seed)):
        for stage, steps in enumerate(horizons):
            unit = descend(unit, trajectories.until(steps), smooth)
            tell((attempt + (stage + 1) / len(horizons)) / MOST_DESCENTS)
        near = _cells(unit, ranges, cell, delay)
        for point in near[np.argsort(left_by(near))[:MOST_CELLS]]:
            fitted = descend(point, trajectories, plant, delay)
            found.append((fitted, float(left_by(fitted[None])[0])))
            if found[-1][1] < explained:
                break
        if found[-1][1] < explained:
            break
    best = min(found, key=lambda each: each[1])
    # the ground of a valley is rough where things touch: descents from nearby end in different pits
    rng, pits = np.random.default_rng(seed), [best]
    for _ in range(RESTARTS):
        start = best[0] + JITTER * rng.uniform(-1, 1, len(best[0]))
        if delay >= 0:
            start[delay] = best[0][delay]
        fitted = descend(start, trajectories, plant, delay)
        pits.append((fitted, float(left_by(fitted[None])[0])))
    unit, least = min(pits, key=lambda each: each[1])
    tell(1.0)
    # a fit that leaves more than noise is one valley of several; those that fit about as well are as likely
    valleys = [other for other, left in found if least > explained and left < ALIKE * least]
    apart_by = np.max([np.abs(other - unit) for other in [unit, *valleys]], axis=0)
    # the truth lies to the best pit as the other pits do: with k of them, within Student's t of their spread
    others = [other for other, left in pits if other is not unit and left < max(explained, ALIKE * least)]
    roughness = np.zeros(len(unit))
    if others:
        spread = np.sqrt(np.mean([(other - unit) ** 2 for other in others], axis=0))
        roughness = stats.t.ppf((1 + LEVEL) / 2, len(others)) * spread
    # what is known before counts as one more measurement of each: without it one direction that shows nothing makes
    # every interval infinite
    count = len(ranges.fields)
    residuals = np.concatenate([apart(unit[None], trajectories)[0], np.zeros(count)])
    jacobian = derivative(plant, trajectories, ranges, unit)
    known = np.concatenate([jacobian, np.sqrt(PRIOR) * np.eye(count)])
    _, half = sysid.calculate_intervals([residuals], known, alpha=1 - LEVEL)
    half = np.maximum(np.hypot(half, roughness), apart_by)
    if delay >= 0:  # all delays of a cell act alike, and one is as likely as another
        half[delay] += LEVEL * cell / (ranges.high[delay] - ranges.low[delay])
    return np.clip(unit, -1, 1), np.clip(unit - half, -1, 1), np.clip(unit + half, -1, 1)


def _starts(apart: Callable[[Array], Array], ranges: Ranges, seed: int) -> Array:
    """The points that fit best, of the middle of the ranges and random ones, (MOST_DESCENTS, fields)."""
    points = ranges.to_unit(ranges.draw(STARTS, seed, stream=3))
    points[0] = 0.0
    costs = np.sum(apart(points) ** 2, 1)
    return points[np.argsort(costs)[:MOST_DESCENTS]]


def _delay_cell(plant: Plant) -> float:
    """Width of the cells of delay, s, within which all delays act alike: a command reaches the actuator at the first
    evaluation of the dynamics after its delay, and Runge-Kutta's stages evaluate at half time steps."""
    runge_kutta = plant.model.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4
    return float(plant.model.opt.timestep) / (2 if runge_kutta else 1)


def _cells(unit: Array, ranges: Ranges, cell: float, delay: int) -> Array:
    """The point with its delay moved to the middle of each cell nearby, (k, fields); the point itself without one."""
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
