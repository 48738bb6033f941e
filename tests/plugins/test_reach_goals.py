"""Reaching over a family of goals: arms reach all that are held out, and see nothing of where they are."""

from __future__ import annotations

import numpy as np
import pytest

from studio.meta.task_split import held_out
from studio.meta.trials import Trials
from studio.registry import shared_registry
from studio.run.evaluate import evaluate
from studio.sim.domains import resolve
from studio.sim.gymnasium_ids import default_domain
from studio.sim.world import World


@pytest.mark.parametrize("arm", ["franka_7dof", "ur5_6dof", "bimanual_14dof"])
def test_goals_inside_and_outside_are_hidden_and_within_reach(arm: str) -> None:
    registry = shared_registry()
    kind, body = registry.get("tasks", "reach_goals"), registry.get("embodiments", arm)
    domain = resolve(default_domain(kind, body, observation=["state"]), registry)
    low, high = np.array(kind.ranges).T
    for which in ("inside", "outside"):
        chosen = held_out(domain, which, 5)
        goals = np.array(chosen.domain.contexts)
        assert ((goals >= low) & (goals <= high)).all(1).all() == (which == "inside")
        assert evaluate("expert", chosen, 10, 5).score == 1
    world = World(domain.domain, domain.new_task(), domain.embodiment, 2, 1)
    Trials(world, 2)
    seen, _ = world.reset(seed=1)
    goals, ball = world.contexts.copy(), world.mocap()[:, 0].copy()
    np.testing.assert_allclose(ball[:, :2], goals)
    assert "goal" not in seen and np.allclose(seen["state"], seen["eef_pos"])
    world.reset_envs(np.arange(2), [50, 51])  # the trials' second episodes
    np.testing.assert_array_equal(world.mocap()[:, 0], ball)
    world.close()


def test_reach_goals_is_not_for_a_driving_base() -> None:
    registry = shared_registry()
    (problem,) = registry.get("tasks", "reach_goals")().check(registry.get("embodiments", "mobile_3dof"))
    assert "drives" in problem.message and problem.remedy
