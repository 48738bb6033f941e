"""Record, identify and compare, given a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import mujoco
import numpy as np

from studio import paths
from studio.contracts import ResolvedDomain
from studio.errors import DataError, ExperimentError
from studio.experiment import content_hash
from studio.sysid.estimate import Estimate
from studio.sysid.excitation import excite
from studio.sysid.handling import handle, handles
from studio.sysid.lstm import LstmIdentifier, Training
from studio.sysid.mujoco_sysid import identify_with_sysid
from studio.sysid.plant import Plant, Tick
from studio.sysid.ranges import FIELDS, Ranges
from studio.sysid.sensitivity import flat
from studio.sysid.trajectories import SENSOR_NOISE, Trajectories

Array = np.ndarray
METHODS = ("lstm", "sysid")
MOST_RECORDINGS = 8  # further recordings are left out: they cost simulation time and add little
COUNTS = {"motor_controlled": 6}  # recordings to make, by the kind of embodiment
USUAL_COUNT = 2
UNEXPLAINED = 3.0  # a misfit beyond which the simulation may differ from the robot by more than these parameters
LEFT_OVER = 1 / 3  # accepted fraction of the nominal model's misfit: contacts amplify small errors


def record(
    domain: ResolvedDomain,
    values: Mapping[str, float] | None,
    count: int | None,
    seed: int,
    *,
    noise: tuple[float, float] | None = SENSOR_NOISE,
    tick: Tick | None = None,
) -> Trajectories:
    """Record ``count`` trajectories in simulation, of a robot with these (hidden) values.

    The commands excite all actuators. With a loose object in the scene, half of the recordings are of the expert
    manipulating it.

    Args:
        values: field → × nominal, or a delay in s, of the model without a stand-in; None: the domain's own robot.
        count: None: as many as identification needs.
        seed: of the commands, the initial states and the sensors' noise.
        noise: standard deviation of measured positions and velocities; None: sensors without noise.

    Raises:
        ExperimentError: a field is unknown or its value not possible.
        DataError: the simulation diverges.
    """
    domain = domain if values is None else nominal_model(domain)
    plant = Plant.of(domain)
    for name, value in (values or {}).items():
        if name not in FIELDS or not np.isfinite(value) or value < 0 or (value == 0 and name != "actuator_delay"):
            raise ExperimentError(f"{name} = {value:g} is not possible.", "values", f"Known: {', '.join(FIELDS)}.")
    count = count or COUNTS.get(plant.kind, USUAL_COUNT)
    if handles(domain, plant.model):
        moved = handle(domain, plant.model, values or {}, (count + 1) // 2, seed)
        made = moved
        if count > len(moved):
            commanded = excite(plant, count - len(moved), seed, moved.steps, moved.dt)
            made = plant.simulated(commanded, values or {}, tick).joined(moved)
    else:
        made = plant.simulated(excite(plant, count, seed), values or {}, tick)
    if not np.isfinite(made.qpos).all():
        raise DataError("The simulation diverges with these values.", "values", "Choose others.")
    return made if noise is None else with_noise(made, noise, seed)


def with_noise(trajectories: Trajectories, noise: tuple[float, float], seed: int) -> Trajectories:
    """Return the trajectories with sensor noise on the measurements; the initial states stay exact."""
    rng = np.random.default_rng([seed, 11])
    qpos = trajectories.qpos + rng.normal(0, noise[0], trajectories.qpos.shape)
    qvel = trajectories.qvel + rng.normal(0, noise[1], trajectories.qvel.shape)
    return replace(trajectories.with_measured(qpos, qvel), position_noise=noise[0], velocity_noise=noise[1])


def identify(
    domain: ResolvedDomain,
    trajectories: Trajectories,
    fields: Sequence[str] = FIELDS,
    *,
    method: str = "lstm",
    seed: int = 0,
    tick: Tick | None = None,
    training: Training | None = None,
) -> dict[str, Estimate]:
    """Estimate the parameters ``fields`` of the domain's model from recordings.

    A trained identifier is cached under the hash of all that it depends on: the model, the commands, the ranges.

    Args:
        method: ``lstm`` learns from randomized simulation of these commands; ``sysid`` fits by ``mujoco.sysid``.
        tick: called with the progress, 0 to 1; it may raise to stop.

    Raises:
        ExperimentError: a field or the method is unknown.
        DataError: the recordings do not fit the domain.
    """
    plant, fitted = plant_for(domain, trajectories)
    ranges, used = Ranges.of(fields, plant.model), _some(fitted)
    if method == "sysid":
        return identify_with_sysid(plant, used, ranges, seed, tick)
    if method != "lstm":
        raise ExperimentError(f"'{method}' is not a method.", "method", f"Known: {', '.join(METHODS)}.")
    return _identifier(plant, used, ranges, seed, training or Training(), tick).estimate(used)


def nominal_model(domain: ResolvedDomain) -> ResolvedDomain:
    """Return the domain without its stand-in robot, as the simulation of the robot."""
    return domain.changed(domain.domain.model_copy(update={"hidden_dynamics": None}))


def plant_for(domain: ResolvedDomain, trajectories: Trajectories) -> tuple[Plant, Trajectories]:
    """Return the simulation of the domain's robot that replays these recordings, and the recordings fitted to it.

    Its time step is the model's own, or the nearest shorter one of which a whole number fits between commands.

    Raises:
        DataError: the recordings do not fit the model.
    """
    domain = nominal_model(domain)
    plant = Plant.of(domain)
    fitted = trajectories.fitted(plant.model)
    own = plant.model.opt.timestep
    timestep = fitted.timestep(own)
    return (plant if timestep == own else Plant.of(domain, timestep=timestep)), fitted


def misfit(plant: Plant, trajectories: Trajectories, values: Mapping[str, float]) -> float:
    """Return the root mean square residual of the simulation under ``values``, in units of the sensors' noise.

    1 is the best that the noise allows.
    """
    made = plant.simulated(trajectories, values)
    residuals = flat(trajectories, (made.qpos - trajectories.qpos)[None], (made.qvel - trajectories.qvel)[None])
    return float(np.sqrt(np.mean(residuals**2)))


def explains(before: float, after: float) -> bool:
    """Return whether the estimates explain the recordings, given the misfit of the nominal and the identified model.

    If not, the model differs from the robot in other ways, or the fit failed, and no interval can be trusted.
    """
    return after <= max(UNEXPLAINED, LEFT_OVER * before)


def _some(trajectories: Trajectories) -> Trajectories:
    if len(trajectories) <= MOST_RECORDINGS:
        return trajectories
    return trajectories.take(np.linspace(0, len(trajectories) - 1, MOST_RECORDINGS).astype(int))


def _identifier(
    plant: Plant, trajectories: Trajectories, ranges: Ranges, seed: int, training: Training, tick: Tick | None
) -> LstmIdentifier:
    """Return an identifier from the cache, or train it."""
    cache_key = {
        "model": content_hash(_bytes_of(plant.model)),
        "commands": trajectories.fingerprint(),
        "fields": ranges.fields,
        "ranges": [ranges.low.tolist(), ranges.high.tolist()],
        "training": repr(training),
        "seed": seed,
    }
    folder = paths.cache() / "identifiers" / content_hash(cache_key)[:32]
    if folder.is_dir():
        try:
            return LstmIdentifier.load(folder)
        except DataError:  # a damaged one is trained again
            pass
    trained = LstmIdentifier.train(plant, trajectories, ranges, seed, training, tick)
    trained.save(folder)
    return trained


def _bytes_of(model: mujoco.MjModel) -> str:
    buffer = np.zeros(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return buffer.tobytes().hex()
