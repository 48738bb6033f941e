"""Identification on the shipped robots and tasks: every one can be recorded, and contact shows where there is any."""

from __future__ import annotations

import numpy as np
import pytest

from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.sysid import FIELDS, Plant, Ranges, misfit, record, sensitivity

ARMS = {"control": "end_effector", "observation": "goal"}
BODIES = {"control": "motor", "observation": "state"}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


def reasons(domain: Domain, registry: Registry) -> dict[str, str]:
    plant = Plant.of(resolve(domain, registry))
    recordings = record(resolve(domain, registry), {"mass": 1.3}, None, 0)
    recordings.check(plant.model)
    ranges = Ranges.of(FIELDS, plant.model)
    assert 0.9 < misfit(plant, recordings, {"mass": 1.3}) < 1.1  # the replay is what was recorded, but for the noise
    return sensitivity(plant, recordings, ranges).reasons(ranges)


@pytest.mark.parametrize(
    ("embodiment", "task", "cannot"),
    [
        ("ur5_6dof", "reach", {"friction"}),
        ("ur5_6dof", "push", set()),  # the expert pushes a block, and the table's friction shows
        ("franka_7dof", "push", set()),
        ("mobile_3dof", "reach", {"friction", "armature"}),  # its model has no armature
    ],
)
def test_friction_shows_where_something_is_moved(
    embodiment: str, task: str, cannot: set[str], registry: Registry
) -> None:
    domain = Domain.model_validate({"embodiment": embodiment, "task": task, **ARMS})
    assert set(reasons(domain, registry)) == cannot


def test_hopper_shows_only_ratios_of_parameters(registry: Registry) -> None:
    hopper = Domain.model_validate({"embodiment": "hopper", "task": "hopper", **BODIES})
    found = reasons(hopper, registry)
    assert set(found) == {"mass", "damping", "armature", "actuator_gain"}
    assert all("is confounded with" in words for words in found.values())
    plant = Plant.of(resolve(hopper, registry))
    commanded = record(resolve(hopper, registry), None, None, 0)
    plain, scaled = (
        plant.simulated(commanded, dict.fromkeys(found, factor)).qpos for factor in (1.0, 1.5)
    )  # exactly the same, contacts and all
    np.testing.assert_allclose(plain, scaled, atol=1e-6)
    known = Ranges.of([name for name in FIELDS if name != "actuator_gain"], plant.model)
    assert sensitivity(plant, commanded, known).reasons(known) == {}


@pytest.mark.parametrize("body", ["ant", "half_cheetah", "humanoid", "swimmer", "inverted_pendulum"])
def test_every_body_can_be_recorded(body: str, registry: Registry) -> None:
    domain = Domain.model_validate({"embodiment": body, "task": body, **BODIES})
    recordings = record(resolve(domain, registry), None, 2, 0)
    recordings.check(Plant.of(resolve(domain, registry)).model)
    assert np.isfinite(recordings.qpos).all() and recordings.qpos.std() > 0
