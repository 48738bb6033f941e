"""System identification: a robot's friction, mass, damping, armature, actuator gain and delay, from recordings.

    from studio.sysid import Estimate, Trajectories, identify, record

    identify(domain, trajectories, fields, *, method="lstm"|"sysid", seed, tick=None) -> dict[str, Estimate]
        ``fields`` are physics fields of studio.sim.randomization; ``tick`` is called with the progress, 0 to 1, and may
        raise to stop. Estimate(value, low, high, identifiable, nominal, reason): × nominal, a delay in s. Parameters
        that the recordings do not determine have identifiable=False and value=NaN; low, high are the searched range.
    record(domain, values, count, seed, *, noise=SENSOR_NOISE) -> Trajectories
        Record in simulation under given (hidden) values, {field: value}; None: the domain's own robot, which may be a
        stand-in. count None: as many recordings as identification needs.
    chosen(estimates) -> {field: value} of the identifiable ones; terms_around(domain, estimates) -> the domain's
        randomization with each identifiable parameter drawn from its interval; simulation_of(experiment, role) -> the
        role of the domain that may be calibrated
    read_recordings(path) -> Trajectories, write_recordings(trajectories, path): recordings on disk
    plant_for(domain, trajectories) -> (Plant, Trajectories): the simulation that replays them
    plant.simulated(trajectories, values) -> Trajectories: the same commands under other values
    misfit(plant, trajectories, values) -> float: the residual, in units of the sensors' noise

Importing this package imports torch and MuJoCo.
"""

from studio.sysid.calibration import chosen, simulation_of, terms_around
from studio.sysid.entry import (
    METHODS,
    explains,
    identify,
    misfit,
    plant_for,
    record,
    with_noise,
)
from studio.sysid.estimate import Estimate
from studio.sysid.lstm import LstmIdentifier, Training
from studio.sysid.mujoco_sysid import fit_with_sysid, identify_with_sysid
from studio.sysid.plant import Plant
from studio.sysid.ranges import FIELDS, RANGES, Ranges, check_fields
from studio.sysid.recordings import read_recordings, write_recordings
from studio.sysid.sensitivity import Sensitivity, sensitivity
from studio.sysid.trajectories import SENSOR_NOISE, Trajectories

__all__ = [
    "FIELDS",
    "METHODS",
    "RANGES",
    "SENSOR_NOISE",
    "Estimate",
    "LstmIdentifier",
    "Plant",
    "Ranges",
    "Sensitivity",
    "Training",
    "Trajectories",
    "check_fields",
    "chosen",
    "explains",
    "fit_with_sysid",
    "identify",
    "identify_with_sysid",
    "misfit",
    "plant_for",
    "read_recordings",
    "record",
    "sensitivity",
    "simulation_of",
    "terms_around",
    "with_noise",
    "write_recordings",
]
