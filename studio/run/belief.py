"""What a policy believes of its task after some shots of it, beside what can be known: the exact posterior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.contracts import LatentPolicy, Policy, ResolvedDomain, Task
from studio.sim.rollout import policy_actions, run_episodes
from studio.sim.trajectory import Trajectory, TrajectoryRecorder
from studio.sim.world import World

Array = np.ndarray
SAMPLES = 16  # of the posterior


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed of a task.

    Args:
        samples: where policies that act by samples of the latent variable's posterior end, (k, 3), m; none: the policy
            has no latent variable, or the goal is no place.
        contexts, probabilities: the exact posterior, (n, components) and (n,); none: it is not known.
    """

    samples: Array
    contexts: Array
    probabilities: Array

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; of the exact posterior what is possible."""
        possible = self.probabilities > 0
        return {
            "samples": self.samples.round(5).tolist(),
            "contexts": self.contexts[possible].round(5).tolist(),
            "probabilities": self.probabilities[possible].tolist(),
        }


def belief(policy: Policy, support: Sequence[Trajectory] | None, domain: ResolvedDomain, seed: int) -> Belief:
    """Return what an adapted policy believes of its task.

    Args:
        policy: a :class:`LatentPolicy` has a posterior to draw from.
        support: the episodes of the task that it was adapted to; None: they are not known.
        seed: of the samples, and of the episodes that they are played in.
    """
    exact = None if support is None else _exact(domain.task, support)
    contexts, probabilities = exact if exact is not None else (np.zeros((0, 0)), np.zeros(0))
    places_goal = domain.task.goal_in_plane and isinstance(policy, LatentPolicy)
    return Belief(_ends(policy, domain, seed) if places_goal else np.zeros((0, 3)), contexts, probabilities)


def _exact(task: Task, support: Sequence[Trajectory]) -> tuple[Array, Array] | None:
    """Return the exact posterior given the support, where the task knows it."""
    places = np.concatenate([np.zeros((0, 3)), *(one.path[1:] for one in support)])
    return task.exact_posterior(places, np.concatenate([np.zeros(0), *(one.rewards for one in support)]))


def _ends(policy: Policy, domain: ResolvedDomain, seed: int) -> Array:
    """Return where the policies of some samples of the posterior end their episodes, (SAMPLES, 3), m."""
    assert isinstance(policy, LatentPolicy)
    mean, deviation = policy.posterior()
    noise = np.random.default_rng(seed).normal(size=(SAMPLES, len(mean)))
    world = World(domain.domain, domain.new_task(), domain.embodiment, 1)
    recorder = TrajectoryRecorder(SAMPLES)
    try:
        world.observers.append(recorder)
        for row in noise:
            run_episodes(world, policy_actions(policy.with_latent(mean + deviation * row)), [seed])
    finally:
        world.close()
    return np.array([one.path[-1] for one in recorder.trajectories()])
