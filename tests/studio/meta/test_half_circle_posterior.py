"""The exact posterior of the half circle against angles that are found by geometry, and its own sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio.meta.half_circle_posterior import (
    HORIZON,
    RADIUS,
    ROUNDING,
    STEP,
    HalfCirclePosterior,
    on_circle,
    returns_of_sampling,
)
from studio.rng import EpisodeRng
from studio.sim.gymnasium_ids import make_vector


def test_posterior_without_a_reward_excludes_an_arc() -> None:
    belief, reach, angle = HalfCirclePosterior(), 0.9, 1.2
    belief.update(reach * on_circle(np.array([angle])), np.zeros(1))
    half = math.acos((1 + reach**2 - RADIUS**2) / (2 * reach))  # law of cosines
    excluded = belief.angles[belief.probabilities[0] == 0]
    assert excluded.min() == pytest.approx(angle - half, abs=0.005)
    assert excluded.max() == pytest.approx(angle + half, abs=0.005)
    assert belief.probabilities.sum() == pytest.approx(1)


def test_posterior_after_a_reward_has_the_two_angles_at_that_distance() -> None:
    belief, reach, angle, distance = HalfCirclePosterior(), 0.95, 2.0, 0.15
    belief.update(reach * on_circle(np.array([angle])), np.array([1 - distance]))
    half = math.acos((1 + reach**2 - distance**2) / (2 * reach))
    left = belief.angles[belief.probabilities[0] > 0]
    assert len(left) == 2
    np.testing.assert_allclose(left, [angle - half, angle + half], atol=np.pi / 720)


def test_sparse_reward_is_the_tasks_own() -> None:
    world = make_vector(8, "half_circle", "point", threads=1)
    world.reset(seed=0)
    met = 0
    for _ in range(world.task.horizon - 1):
        _, rewards, *_ = world.step(np.clip(world.contexts - world.bind("qpos"), -STEP, STEP))
        distance = np.linalg.norm(world.contexts - world.bind("qpos"), axis=1)
        np.testing.assert_array_equal(rewards, np.where(distance <= RADIUS + ROUNDING, 1 - distance, 0))
        met += int((rewards > 0).sum())
    assert met > 50 and world.task.horizon == HORIZON


def test_posterior_sampling_finds_more_from_episode_to_episode() -> None:
    goals = np.repeat(np.linspace(0.1, 3.0, 8), 10)
    held = returns_of_sampling(goals, 3, EpisodeRng(np.arange(80))).mean(0)
    again = returns_of_sampling(goals, 3, EpisodeRng(np.arange(80)), again=True).mean(0)
    assert held[0] < held[1] < held[2] < 7  # a sample that is held excludes one place in an episode
    assert again[2] > 10  # of 13.37
