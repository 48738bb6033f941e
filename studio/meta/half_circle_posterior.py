"""The sparse half circle's reward, and its exact posterior: where the goal can be, given the places visited.

Rewards have no noise, so every angle is either consistent with all of them or excluded: without a reward the goal is
more than ``RADIUS`` away, and a reward says how far it is.
"""

from __future__ import annotations

import numpy as np

from studio.rng import EpisodeRng

Array = np.ndarray
RADIUS, STEP, HORIZON = 0.2, 0.1, 20  # of the first protocol: m, m along each axis, steps
ROUNDING = 1e-9  # m: eight steps of 0.1 m toward a goal at 1 m are within the radius
OBSERVED_ROUNDING = 1e-6  # m: of places that were observed, as float32


def on_circle(angles: Array) -> Array:
    """Return the places on the unit circle at ``angles`` (…), rad, as (…, 2), m."""
    return np.stack([np.cos(angles), np.sin(angles)], -1)


def sparse_reward(distance: Array) -> Array:
    """Return 1 − d within ``RADIUS`` of the goal and 0 elsewhere, (…), at distances d (…), m."""
    return np.where(distance <= RADIUS + ROUNDING, 1 - distance, 0.0)


class HalfCirclePosterior:
    """Posterior probabilities of the goal's angle, on a grid of 720, equally likely at first.

    Args:
        rows: of independent posteriors.
    """

    def __init__(self, rows: int = 1) -> None:
        self.angles = (np.arange(720) + 0.5) * np.pi / 720
        self.places = on_circle(self.angles)
        self.possible = np.ones((rows, len(self.angles)), bool)
        self._spacing = float(np.diff(self.angles).max())

    @property
    def probabilities(self) -> Array:
        """Return the probability of each angle, (rows, n)."""
        return np.asarray(self.possible / np.maximum(self.possible.sum(1, keepdims=True), 1))

    def update(self, places: Array, rewards: Array) -> None:
        """Exclude the angles that a place (rows, 2), m, and the reward there (rows,) contradict.

        Where a reward says how far the goal is, the angle of the grid that is nearest to it stays.
        """
        distance = np.linalg.norm(self.places - places[:, None], axis=-1)
        reach = np.linalg.norm(places, axis=1, keepdims=True)  # m that the distance changes by at most, for each rad
        missed = np.abs(distance - (1 - rewards[:, None])) > reach * self._spacing / 2 + OBSERVED_ROUNDING
        contradicted = np.where(rewards[:, None] > 0, missed, distance <= RADIUS + OBSERVED_ROUNDING)
        self.possible &= ~contradicted


def returns_of_sampling(goals: Array, episodes: int, rng: EpisodeRng, again: bool = False) -> Array:
    """Return the returns, (goals, episodes), of who knows this posterior and goes straight to a sample of it.

    Args:
        goals: angles, (n,), rad, as many as ``rng`` has episodes.
        again: a sample is replaced by the possible angle next to it as soon as it is excluded; without, it is held for
            an episode, as in posterior sampling (Strens 2000; Osband et al. 2013, arXiv:1306.0940).
    """
    belief, targets = HalfCirclePosterior(rows=len(goals)), on_circle(goals)
    returns, rows = np.zeros((len(goals), episodes)), np.arange(len(goals))
    for episode in range(episodes):
        places, share = np.zeros((len(goals), 2)), rng.uniform()
        count = belief.possible.cumsum(1)
        chosen = (count > (share * count[:, -1])[:, None]).argmax(1)
        for _ in range(HORIZON):
            places += np.clip(belief.places[chosen] - places, -STEP, STEP)
            rewards = sparse_reward(np.linalg.norm(places - targets, axis=-1))
            belief.update(places, rewards)
            returns[:, episode] += rewards
            if again:
                apart = np.abs(belief.angles - belief.angles[chosen][:, None])
                nearest = np.where(belief.possible, apart, np.inf).argmin(1)
                chosen = np.where(belief.possible[rows, chosen], chosen, nearest)
    return returns
