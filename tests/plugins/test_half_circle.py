"""The sparse point robot in both protocols: rewards by hand, the oracle's exact return, tasks inside and outside."""

from __future__ import annotations

import numpy as np
import pytest

from plugins.tasks.half_circle import HalfCircle
from studio.meta.task_split import held_out, split
from studio.meta.trials import Trials
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.sim.gymnasium_ids import default_domain, make_vector
from studio.sim.rollout import expert_actions, run_episodes

ALL = slice(None)


def best_return(goal: np.ndarray) -> float:
    """Return 1 − d summed over 20 steps, where each coordinate goes to the goal's by 0.1 a step."""
    left = np.maximum(np.abs(goal) - 0.1 * np.arange(1, 21)[:, None], 0)
    distance = np.hypot(*left.T)
    return float(np.where(distance <= 0.2 + 1e-12, 1 - distance, 0).sum())


def test_oracle_of_the_half_circle_returns_the_published_optimum() -> None:
    for goals in (HalfCircle.held_out, HalfCircle.members):
        assert np.mean([best_return(np.array(goal)) for goal in goals]) == pytest.approx(13.37, abs=6e-3)
    world = make_vector(50, "half_circle", "point", threads=1)
    returns = run_episodes(world, expert_actions, range(50), needs_observation=False).returns
    np.testing.assert_allclose(returns, [best_return(goal) for goal in world.contexts], atol=1e-9)


@pytest.mark.parametrize("name", ["half_circle", "half_circle_dense", "half_circle_long"])
def test_rewards_of_the_half_circle_protocols(name: str) -> None:
    world = make_vector(3, name, "point", threads=1, contexts=[[0.0, 1.0]])
    Trials(world, 2)
    world.reset(seed=0)
    world.bind("qpos")[:] = [[0, 0.71], [0.1, 0.8], [-0.6, 0.75]]
    seen, reward, *_ = world.step(np.array([[0, 5.0], [-0.1, 0.05], [0.0, 0.0]]))  # clipped to 0.1
    distance = np.array([0.19, 0.15, np.hypot(0.6, 0.25)])
    sparse = np.array([1.0, 1.0, 0.0]) if name == "half_circle_long" else np.array([0.81, 0.85, 0.0])
    np.testing.assert_allclose(reward, -distance if name == "half_circle_dense" else sparse, atol=1e-9)
    np.testing.assert_allclose(seen["previous_reward"][:, 0], sparse, atol=1e-6)  # even where training's is dense
    assert world.task.horizon == (60 if name == "half_circle_long" else 20)


def test_every_goal_of_training_has_its_reference_line() -> None:
    for goal in (HalfCircle.members[0], HalfCircle.members[-1]):  # the last one's y is −3e-16
        (line,) = HalfCircle().reference_lines(goal)
        assert 0 < line.scores[0] < line.scores[-1] < best_return(np.array(goal))


@pytest.mark.parametrize("name", ["half_circle", "half_circle_long"])
def test_half_circle_tasks_inside_and_outside(name: str) -> None:
    registry = shared_registry()
    domain = resolve(default_domain(registry.get("tasks", name), registry.get("embodiments", "point")), registry)
    found = split(domain, 3)
    inside, outside = np.array(found.inside), np.array(found.outside)
    for goals in (inside, outside):
        np.testing.assert_allclose((goals**2).sum(1), 1)
    assert len(inside) == len(outside) == 20 and (inside[:, 1] >= 0).all() and (outside[:, 1] < 0).all()
    assert np.array_equal(held_out(domain, "outside", 3).domain.contexts, outside)
    world = make_vector(1000, name, "point", threads=1)
    world.reset(seed=0)
    drawn = {tuple(goal) for goal in world.contexts.tolist()}
    assert all(world.task.is_inside(goal) for goal in (*drawn, *found.inside, *HalfCircle.members))
    assert not any(world.task.is_inside(goal) for goal in found.outside)
    low, high = np.array(world.task.ranges).T
    assert (low - 1e-9 <= world.contexts).all() and (world.contexts <= high + 1e-9).all() and low[1] == 0
    assert not drawn & {tuple(goal) for goal in inside.tolist()}
    assert len(drawn) == (1000 if name == "half_circle_long" else 80)
