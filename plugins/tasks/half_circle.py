"""Sparse point robot: a point looks for a goal on the unit half circle, and is rewarded only near it.

Two published protocols, and the dense reward that meta-training may have in the first one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plugins.tasks.point_navigation import PointNavigation
from studio.contracts import Ids, ReferenceLine, Simulation
from studio.meta.half_circle_posterior import (
    RADIUS,
    ROUNDING,
    HalfCirclePosterior,
    on_circle,
    returns_of_sampling,
    sparse_reward,
)
from studio.rng import EpisodeRng

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment

TRIALS, EPISODES = 100, 4  # of who knows the exact posterior and acts by samples of it
NEAR = 1e-3  # m: a goal so near the half circle is on it
GOALS = 100  # of the first protocol: evenly spaced on the half circle
EVERY, FIRST = 5, 2  # every fifth goal, from the third on, is a test task: 20 of them, none at an end


def _contexts(numbers: list[int]) -> tuple[tuple[float, ...], ...]:
    return tuple((x, y) for x, y in on_circle(np.pi * np.array(numbers) / (GOALS - 1)).tolist())


class HalfCircle(PointNavigation):
    """PEARL's protocol: 80 training and 20 test goals, episodes of 20 steps, reward 1 − d within 0.2 m of the goal and
    0 elsewhere. Goals outside of the family lie on the other half circle.

    An oracle that knows the goal has a mean return of 13.37 (exact, over these goals). Meta-training may have the
    dense reward: let the source be ``half_circle_dense`` and the target this task.
    """

    id = "half_circle"
    title = "Sparse half circle (PEARL)"
    summary = "A point looks for a goal on a half circle that rewards only who comes near; 20 steps (PEARL's protocol)."
    reference = (
        "Rakelly et al. 2019 (PEARL), arXiv:1903.08254, section 6.3; Gupta et al. 2018 (MAESN), arXiv:1802.07245"
    )
    gymnasium_id = "HalfCircle-v0"
    horizon = 20
    observations = ("state", "goal")
    context = ("goal_x", "goal_y")
    ranges = ((-1.0, 1.0), (0.0, 1.0))
    reach = ((-1.0, 1.0), (-1.0, 1.0))
    members = _contexts([i for i in range(GOALS) if i % EVERY != FIRST])
    held_out: ClassVar[tuple[tuple[float, ...], ...]] = _contexts([*range(FIRST, GOALS, EVERY)])

    def outside(self, rng: EpisodeRng) -> np.ndarray:
        return on_circle(rng.uniform(-np.pi, 0))

    def reference_lines(self, context: Sequence[float]) -> Sequence[ReferenceLine]:
        if not self.is_inside(context):
            return ()
        goals = np.full(TRIALS, math.atan2(context[1], context[0]))
        returns = returns_of_sampling(goals, EPISODES, EpisodeRng(range(TRIALS))).mean(0)
        source = f"the exact posterior, {TRIALS} trials"
        return (ReferenceLine("posterior sampling", tuple(returns.tolist()), source),)

    def exact_posterior(self, places: np.ndarray, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        known = HalfCirclePosterior()
        for place, reward in zip(places, rewards, strict=True):
            known.update(place[None, :2], reward[None])
        return known.places, known.probabilities[0]

    def is_inside(self, context: Sequence[float]) -> bool:
        x, y = context
        return y >= -NEAR and abs(math.hypot(x, y) - 1) < NEAR

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        super().build(spec, embodiment)
        spec.stat.extent, spec.stat.center = 1.5, [0, 0.3, 0]
        spec.geom("ground").size = [2, 2, 0.1]
        flat = {"type": mujoco.mjtGeom.mjGEOM_CYLINDER, "contype": 0, "conaffinity": 0}
        near = next(body for body in spec.bodies if body.mocap)
        near.add_geom(**flat, size=[RADIUS, 0.002, 0], rgba=[0.86, 0.12, 0.12, 0.25])
        for place in on_circle(np.linspace(0, np.pi, 37)):
            spec.worldbody.add_geom(**flat, pos=[*place, -0.02], size=[0.012, 0.002, 0], rgba=[0.35, 0.37, 0.42, 1])

    def distance(self, world: Simulation, ids: Ids) -> np.ndarray:
        """Return how far the points are from their goals, (n,), m."""
        return np.asarray(np.linalg.norm(self.goal(world, ids) - self.qpos[ids], axis=1))

    def sparse_reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        """Return 1 − d within the radius, and 0 elsewhere, (n,)."""
        return sparse_reward(self.distance(world, ids))

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return self.sparse_reward(world, ids)


class HalfCircleDense(HalfCircle):
    """The same tasks with reward −d, for meta-training. A policy that observes rewards is shown the sparse ones, which
    are all that it gets in a test (PEARL, section 6.3)."""

    id = "half_circle_dense"
    title = "Half circle, dense reward"
    summary = "The half circle of PEARL's protocol with reward −d, for training that is scored on half_circle."
    gymnasium_id = "HalfCircleDense-v0"

    def reference_lines(self, context: Sequence[float]) -> Sequence[ReferenceLine]:
        return (ReferenceLine("standing still", (-self.horizon * math.hypot(*context),)),)

    def exact_posterior(self, places: np.ndarray, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        return None

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return -self.distance(world, ids)

    def observed_reward(self, world: Simulation, ids: Ids, rewards: np.ndarray) -> np.ndarray:
        return self.sparse_reward(world, ids)


class HalfCircleLong(HalfCircle):
    """pomdp-baselines' protocol, after VariBAD: goals uniform on the half circle, trials of 2 episodes of 60 steps,
    reward 1 within 0.2 m of the goal and 0 elsewhere."""

    id = "half_circle_long"
    title = "Sparse half circle (VariBAD)"
    summary = "A point looks for a goal on a half circle; reward 1 near it; 60 steps, trials of 2 (VariBAD's protocol)."
    reference = "Ni et al. 2022 (pomdp-baselines), arXiv:2110.05038; Zintgraf et al. 2020 (VariBAD), arXiv:1910.08348"
    gymnasium_id = "HalfCircleLong-v0"
    horizon = 60
    members = ()
    held_out = ()

    def family(self, rng: EpisodeRng) -> np.ndarray:
        return on_circle(rng.uniform(0, np.pi))

    def reference_lines(self, context: Sequence[float]) -> Sequence[ReferenceLine]:
        return ()

    def exact_posterior(self, places: np.ndarray, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        contexts = HalfCirclePosterior().places
        near = np.linalg.norm(contexts[:, None] - places[None, :, :2], axis=-1) <= RADIUS + ROUNDING
        possible = (near == (rewards > 0)).all(1)
        return contexts, possible / max(1, possible.sum())

    def sparse_reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return (self.distance(world, ids) <= RADIUS + ROUNDING).astype(float)
