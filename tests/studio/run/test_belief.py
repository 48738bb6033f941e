"""What a policy believes of its task: samples of its posterior as places, and the exact posterior in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from plugins.tasks.half_circle import HalfCircle, HalfCircleDense, HalfCircleLong
from studio.contracts import LatentPolicy
from studio.experiment import Domain
from studio.nn.policy import BasePolicy
from studio.registry import Registry
from studio.run.belief import SAMPLES, belief
from studio.sim.domains import resolve
from studio.sim.trajectory import Trajectory

DOMAIN = Domain(embodiment="point", task="half_circle", control="motor", observation="state")
Array = np.ndarray


class Straight(BasePolicy):
    """Goes straight to its latent variable, a place."""

    def __init__(self, mean: Array, deviation: Array) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def act(self, observation: Mapping[str, Any], memory: Any = None) -> tuple[Array, Any]:
        return np.clip(self.mean - observation["state"], -0.1, 0.1), memory

    def posterior(self) -> tuple[Array, Array]:
        return self.mean, self.deviation

    def with_latent(self, latent: Array) -> Straight:
        return Straight(latent, np.zeros(2))


def support(*places: tuple[float, float], rewards: tuple[float, ...]) -> Trajectory:
    path = np.array([(0, 0, 0), *((x, y, 0) for x, y in places)], float)
    return Trajectory(path[:, :2], np.zeros((len(path), 1, 3)), np.array(rewards), path)


def angles(contexts: Array, probabilities: Array) -> Array:
    possible = contexts[probabilities > 0]
    return np.arctan2(possible[:, 1], possible[:, 0])


def test_samples_of_the_posterior_are_the_places_they_lead_to() -> None:
    domain, mean = resolve(DOMAIN, Registry()), np.array([0.3, 0.6])
    policy = Straight(mean, np.array([0.1, 0.0]))
    assert isinstance(policy, LatentPolicy)
    found = belief(policy, None, domain, seed=3)
    assert found.samples.shape == (SAMPLES, 3) and len(found.contexts) == 0
    assert found.samples[:, 1] == pytest.approx(0.6) and 0.05 < found.samples[:, 0].std() < 0.2
    assert len(belief(BasePolicy(), None, domain, seed=3).samples) == 0


def test_an_episode_without_reward_excludes_the_arc_it_came_near() -> None:
    domain = resolve(DOMAIN, Registry())
    found = belief(Straight(np.zeros(2), np.zeros(2)), [support((1.0, 0.0), rewards=(0.0,))], domain, seed=0)
    arc = 2 * math.asin(0.1)  # whose chord is 0.2 m
    assert angles(found.contexts, found.probabilities).min() == pytest.approx(arc, abs=0.005)
    assert found.probabilities.sum() == pytest.approx(1) and len(set(found.probabilities.tolist())) == 2
    everything = belief(Straight(np.zeros(2), np.zeros(2)), [], domain, seed=0)
    assert (everything.probabilities > 0).all()  # after no shots it is the prior
    assert {*found.to_dict()} == {"samples", "contexts", "probabilities"}


def test_a_reward_tells_the_distance_or_that_the_goal_is_near() -> None:
    place = np.array([[math.cos(1.0), math.sin(1.0), 0.0]])
    known = HalfCircle().exact_posterior(place, np.array([0.9]))
    assert known is not None
    apart = 2 * math.asin(0.05)  # 0.1 m away, on either side
    assert np.unique(angles(*known).round(2)) == pytest.approx([1 - apart, 1 + apart], abs=0.01)
    known = HalfCircleLong().exact_posterior(place, np.array([1.0]))
    assert known is not None
    found, reach = angles(*known), 2 * math.asin(0.1)
    assert (found.min(), found.max()) == pytest.approx((1 - reach, 1 + reach), abs=0.005)
    assert HalfCircleDense().exact_posterior(place, np.array([-0.1])) is None
