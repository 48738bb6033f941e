"""Scores a strategy that is adapted to each task of a family: a policy of its own for every task."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from studio.contracts import ResolvedDomain, Shots, Strategy
from studio.experiment import EvaluationPlan
from studio.meta.task_split import held_out, single_tasks
from studio.run.evaluate import Evaluation, evaluate, score_of_groups
from studio.run.tally import Tally
from studio.sim.rollout import Outcome


def score_adapted(
    strategy: Strategy,
    target: ResolvedDomain,
    plan: EvaluationPlan,
    seed: int,
    tick: Callable[[int, int], None] | None = None,
) -> dict[int, Evaluation]:
    """Return the scores by the number of shots that the strategy was adapted to each task with.

    The episodes are shared out among the tasks; those of all tasks together are one score.

    Args:
        seed: of the shots.
        tick: called every step with (episodes ended, episodes), of all numbers of shots; it may raise to leave.
    """
    tasks = single_tasks(held_out(target, plan.held_out, plan.seed), plan.seed)[: plan.episodes]
    starts = np.linspace(0, plan.episodes, len(tasks) + 1).astype(int).tolist()
    found, counts = dict[int, Evaluation](), sorted(set(plan.shots))
    tally = Tally(tick or (lambda done, total: None), len(counts) * plan.episodes)
    for count in counts:
        parts: list[Outcome] = []
        for task, start, end in zip(tasks, starts, starts[1:], strict=False):
            policy, ticked = strategy.adapt(Shots(task, count, seed)), tally.piece(end - start)
            parts.append(evaluate(policy, task, end - start, plan.seed + start, ticked).outcome)
        found[count] = score_of_groups(parts, target.task.has_success)
    return found
