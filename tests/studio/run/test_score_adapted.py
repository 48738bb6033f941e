"""A strategy that is adapted to each task is scored with a policy of its own for every task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.contracts import Observation, Shots, Strategy
from studio.experiment import Domain, EvaluationPlan
from studio.meta.task_split import held_out
from studio.nn.policy import BasePolicy
from studio.registry import shared_registry
from studio.run.evaluate import bootstrap_interval
from studio.run.score_adapted import score_adapted
from studio.sim.domains import resolve


class _Walker(BasePolicy):
    """Goes straight to a place; stays where it is without one."""

    def __init__(self, place: Any) -> None:
        super().__init__()
        self.place = place

    def act(self, observation: Observation, memory: Any = None) -> tuple[Any, Any]:
        at = observation["state"]
        return (np.zeros_like(at) if self.place is None else np.clip(self.place - at, -0.1, 0.1)), None


class _Told(Strategy):
    """Is told a task's context by its first shot."""

    def adapt(self, shots: Shots) -> Any:
        (context,) = shots.domain.domain.contexts
        return _Walker(np.array(context) if shots.count else None)


def test_score_adapted_gives_every_task_a_policy_of_its_own() -> None:
    target = resolve(
        Domain(embodiment="point", task="point_navigation", control="motor", observation=["state"]), shared_registry()
    )
    plan = EvaluationPlan(episodes=30, shots=[0, 1], held_out="inside")
    ticks: list[tuple[int, int]] = []
    scores = score_adapted(_Told(), target, plan, 0, lambda done, total: ticks.append((done, total)))
    assert ticks == sorted(ticks) and ticks[-1] == (58, 60)  # one count over both numbers of shots
    outcome = scores[1].outcome
    goals = np.stack([outcome.randomization[f"context:{name}"] for name in ("goal_x", "goal_y")], 1)
    contexts = held_out(target, "inside", plan.seed).domain.contexts
    assert {tuple(goal) for goal in goals.tolist()} == {tuple(context) for context in contexts}
    assert len({*outcome.seeds.tolist()}) == 30
    assert scores[0].mean_return == pytest.approx(-100 * np.linalg.norm(goals, axis=1).mean())
    assert scores[1].outcome.returns.min() > -2.5
    # an interval over tasks: episodes of one task share an adaptation, and are no independent draws
    starts = np.linspace(0, 30, 21).astype(int)
    means = [part.mean() for part in np.split(scores[0].outcome.returns, starts[1:-1])]
    assert (scores[0].low, scores[0].high) == bootstrap_interval(np.array(means), shares=False)
