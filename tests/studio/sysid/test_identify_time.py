"""Identification and time: recordings whose steps are no multiple of the model's, and a delay alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.errors import DataError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.sysid import SENSOR_NOISE, Plant, Trajectories, identify, misfit, plant_for, record, with_noise
from studio.sysid.excitation import excite
from studio.sysid.ranges import longest_delay

ARM = Domain(embodiment="ur5_6dof", task="reach")  # its time step is 2 ms
FINE = 1e-3  # s, of the robot that is recorded
REGISTRY = Registry()


def recorded(dt: float, values: dict[str, float]) -> Trajectories:
    """A robot that moves in continuous time, nearly, and is measured every ``dt`` seconds."""
    robot = Plant.of(resolve(ARM, REGISTRY), timestep=FINE)
    return with_noise(robot.simulated(excite(robot, 1, 0, round(0.6 / dt), dt), values), SENSOR_NOISE, 0)


@pytest.mark.parametrize(("dt", "timestep"), [(0.005, 0.005 / 3), (0.003, 0.0015)])
def test_recordings_are_replayed_in_their_own_time(dt: float, timestep: float) -> None:
    for values in ({}, {"actuator_delay": 0.03}):
        recordings = recorded(dt, values)
        plant, fitted = plant_for(resolve(ARM, REGISTRY), recordings)
        assert plant.model.opt.timestep == pytest.approx(timestep)
        assert longest_delay(plant.model) > 0.05 - 1e-9
        assert misfit(plant, fitted, values) < 1.5  # steps that are rounded to 4 or 2 ms miss it by dozens


def test_a_nominal_robot_at_200_hz_is_found_nominal() -> None:
    found = identify(resolve(ARM, REGISTRY), recorded(0.005, {}), ("actuator_gain",), method="sysid")
    assert found["actuator_gain"].value == pytest.approx(1, rel=0.02)


def test_commands_that_rise_in_parts_divide_the_step_further() -> None:
    recordings = record(resolve(ARM, REGISTRY), None, 1, 0)  # of 20 ms
    assert recordings.timestep(0.002) == 0.002
    for ramp, timestep in ((5, 0.002), (4, 0.005 / 3), (10, 0.002)):
        assert replace(recordings, ramp=ramp).timestep(0.002) == pytest.approx(timestep)


def test_a_plant_whose_time_step_does_not_fit_says_so() -> None:
    recordings = recorded(0.005, {})
    with pytest.raises(DataError, match=r"no multiple of the model's 0\.002"):
        misfit(Plant.of(resolve(ARM, REGISTRY)), recordings, {})


def test_what_is_recorded_here_tells_the_time_that_passed() -> None:
    humanoid = Domain(embodiment="humanoid", task="humanoid", control="motor", observation="state")
    assert record(resolve(humanoid, REGISTRY), None, 1, 0).dt == pytest.approx(0.021)  # steps of 3 ms
    pushing = Domain(embodiment="ur5_6dof", task="push", observation="goal")
    assert record(resolve(pushing, REGISTRY), None, 1, 0).dt == pytest.approx(
        0.024
    )  # quarters of a step of 10 Hz, whole at 2 ms


def test_a_delay_is_found_alone() -> None:
    arm = resolve(ARM, REGISTRY)
    found = identify(arm, record(arm, {"actuator_delay": 0.031}, 1, 0), ("actuator_delay",), method="sysid")
    assert found["actuator_delay"].low <= 0.031 <= found["actuator_delay"].high
    assert found["actuator_delay"].value == pytest.approx(0.031, abs=0.002)
