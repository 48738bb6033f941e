"""Scores a policy on the target by the evaluation settings: on held-out tasks, after shots of a new task."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from studio.contracts import Policy, ResolvedDomain, SupportPolicy, TrialPolicy
from studio.experiment import EvaluationPlan
from studio.meta.examples import SupportTrials
from studio.meta.task_split import held_out
from studio.meta.trials import scored_trials
from studio.run.evaluate import Evaluation, evaluate, score_of
from studio.sim.rollout import MAX_AT_ONCE, Outcome, policy_actions

Tick = Callable[[int, int], None]


def score_target(
    policy: Policy,
    target: ResolvedDomain,
    plan: EvaluationPlan,
    episodes: int,
    seed: int,
    tick: Tick | None = None,
    choosing: bool = False,
) -> list[Evaluation]:
    """Return the policy's scores after 0, 1 … shots, up to the largest of ``plan.shots``: the last one is its score.

    A policy whose memory lasts over a trial plays trials: its score after n shots is that of the episode that follows n
    others of the same task, in which it explores. One that reads support is adapted to the scripted expert's n first
    episodes of each task; its own episode starts the same way after any number of them. Any other plays episodes of
    their own.

    Args:
        episodes: behind each score.
        seed: of the first episode; they count up.
        tick: called every step with (episodes ended, episodes); it may raise to leave.
        choosing: a policy is to be chosen: on other held-out tasks than those of the score.
    """
    domain = held_out(target, plan.held_out, plan.seed, choosing)
    if plan.uses_shots and policy.reads_support:
        return _after_support(cast(SupportPolicy, policy), domain, max(plan.shots), episodes, seed, tick)
    if not policy.plays_trials:  # one that does observes what its last step led to, in its first episode too
        return [evaluate(policy, domain, episodes, seed, tick)]
    length = max(plan.shots) + 1
    parts = []
    for start in range(0, episodes, MAX_AT_ONCE):
        count = None if tick is None else lambda ended, start=start: tick(start + ended // length, episodes)
        seeds = range(seed + start, seed + min(start + MAX_AT_ONCE, episodes))
        parts.append(scored_trials(cast(TrialPolicy, policy), domain, length - 1, seeds, seed, count))
    return [score_of(Outcome.joined(place), domain.task.has_success) for place in zip(*parts, strict=True)]


def _after_support(
    policy: SupportPolicy, domain: ResolvedDomain, most: int, episodes: int, seed: int, tick: Tick | None
) -> list[Evaluation]:
    """Return the scores after 0, 1 … ``most`` of the expert's episodes of each task, a task for each seed."""
    parts: list[list[Outcome]] = []
    for start in range(0, episodes, MAX_AT_ONCE):
        seeds = range(seed + start, seed + min(start + MAX_AT_ONCE, episodes))
        trials = SupportTrials(domain, seeds, most, most + 1)
        try:
            examples = trials.examples()
            outcomes = [trials.query(policy_actions(policy))]
            for count in range(1, most + 1):
                memory = policy.adapted(*examples.first(count).flat())
                outcomes.append(trials.query(policy_actions(policy, memory)))
                if tick is not None:
                    tick(start + len(seeds) * count // most, episodes)
        finally:
            trials.close()
        parts.append(outcomes)
    return [score_of(Outcome.joined(place), domain.task.has_success) for place in zip(*parts, strict=True)]
