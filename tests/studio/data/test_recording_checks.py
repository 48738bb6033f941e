"""Each thing that makes a loss fall and the robot fail is found in a recording, and a sound one has none of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from studio.contracts import CheckResult, Episodes, ResolvedDomain
from studio.data.recording_checks import check_recording
from studio.experiment import Domain
from studio.registry import shared_registry
from studio.sim.domains import resolve


@pytest.fixture(scope="module")
def domain() -> ResolvedDomain:
    return resolve(Domain(embodiment="franka_7dof", task="pick_place"), shared_registry())


@pytest.fixture
def episodes() -> Episodes:
    """Two episodes of a hand that moves as its actions say, and opens where the fourth is positive."""
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (40, 4))
    position = np.cumsum(np.vstack([np.zeros(4), actions[:-1]]) * 0.03, 0)
    images = rng.integers(0, 255, (40, 8, 8, 3), dtype=np.uint8)
    observations = {
        "eef_pos": position[:, :3],
        "joint_pos": rng.normal(size=(40, 7)),
        "gripper_pos": position[:, 3:],
        "image": images,
    }
    return Episodes(observations, actions, np.array([20, 20]))


def found(episodes: Episodes, domain: ResolvedDomain) -> dict[str, CheckResult]:
    return {r.check: r for r in check_recording(episodes, domain) if r.state != "ok"}


def changed(episodes: Episodes, entry: str, values: np.ndarray) -> Episodes:
    return dataclasses.replace(episodes, observations=episodes.observations | {entry: values})


def test_sound_recording_passes_every_check(episodes: Episodes, domain: ResolvedDomain) -> None:
    assert [r.state for r in check_recording(episodes, domain)] == ["ok"] * 5


def test_gripper_of_the_other_sign_is_found_and_can_be_fixed(episodes: Episodes, domain: ResolvedDomain) -> None:
    actions = episodes.actions * [1, 1, 1, -1]
    (result,) = found(dataclasses.replace(episodes, actions=actions), domain).values()
    assert (result.check, result.state, result.changes) == ("Gripper sign", "problem", {"dataset_gripper": "close"})


def test_motion_against_the_actions_is_found(episodes: Episodes, domain: ResolvedDomain) -> None:
    actions = episodes.actions * [1, -1, 1, 1]
    result = found(dataclasses.replace(episodes, actions=actions), domain)["Actions against motion"]
    assert result.state == "problem" and "components 1." in result.message


def test_targets_instead_of_steps_are_found(domain: ResolvedDomain) -> None:
    """A slow wave, whose next position is the action."""
    t = np.linspace(0, 2 * np.pi, 60)
    position = np.stack([np.sin(t), np.cos(t), np.sin(2 * t)], 1)
    actions = np.hstack([np.roll(position, -1, 0), np.tile([[1.0], [-1.0]], (30, 1))])
    episodes = Episodes({"eef_pos": position}, actions, np.array([60]))
    assert "follow the position itself" in found(episodes, domain)["Actions against motion"].message


@pytest.mark.parametrize("entry, factor, unit", [("eef_pos", 1e3, "millimeters"), ("joint_pos", 57.3, "degrees")])
def test_other_units_are_found(
    entry: str, factor: float, unit: str, episodes: Episodes, domain: ResolvedDomain
) -> None:
    other = changed(episodes, entry, episodes.observations[entry] * factor)
    assert unit in found(other, domain)["Statistics"].message


def test_actions_that_were_not_normalized_are_found(episodes: Episodes, domain: ResolvedDomain) -> None:
    small = dataclasses.replace(episodes, actions=episodes.actions / 100)
    assert "physical units" in found(small, domain)["Action range"].message
    ends = dataclasses.replace(episodes, actions=np.sign(episodes.actions))
    assert "lie at ±1" in found(ends, domain)["Action range"].message


def test_black_and_frozen_pictures_are_found(episodes: Episodes, domain: ResolvedDomain) -> None:
    images = episodes.observations["image"]
    assert found(changed(episodes, "image", images * 0), domain)["Images"].state == "problem"
    still = np.repeat(images[:1], len(images), 0)
    assert found(changed(episodes, "image", still), domain)["Images"].state == "warning"
