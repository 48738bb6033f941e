"""A policy's score on a domain: fixed seeds, many episodes at once, intervals by bootstrap."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import Policy, ResolvedDomain
from studio.events import EpisodesEnded, Evaluated

if TYPE_CHECKING:
    from studio.sim.rollout import Outcome

RESAMPLES = 10_000


@dataclass(frozen=True)
class Evaluation:
    """A score with its 95% interval, and the episodes behind it.

    ``score``, ``low`` and ``high`` are of the ``measure``: the share of successes, or the mean return where the task
    has no success.
    """

    episodes: int
    score: float
    low: float
    high: float
    mean_return: float
    outcome: Outcome
    measure: str = "success"

    def to_dict(self) -> dict[str, float | str]:
        """Return plain data; the score's key is ``success``, whatever its measure, as saved runs have it."""
        return {
            "episodes": self.episodes,
            "success": self.score,
            "low": self.low,
            "high": self.high,
            "mean_return": self.mean_return,
            "measure": self.measure,
        }

    def events(self, stage: str, domain: str, step: int, seed: int, final: bool) -> tuple[Evaluated, EpisodesEnded]:
        """Return the events that publish it: the score, then its episodes."""
        values = self.score, self.low, self.high, self.mean_return
        found = self.outcome
        return (
            Evaluated(stage, domain, step, self.episodes, *values, final, seed, self.measure),
            EpisodesEnded(
                domain, step, found.seeds, found.returns, found.lengths, found.successes, found.randomization
            ),
        )


def evaluate(
    policy: Policy | str,
    domain: ResolvedDomain,
    episodes: int,
    seed: int,
    tick: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Run ``episodes`` episodes, seeds ``seed`` and up, in one batch (chunks of at most 512), and score them.

    Args:
        policy: a policy, or ``"expert"``.
        tick: called every control step with (episodes ended, episodes); it may raise to leave.
    """
    from studio.sim.rollout import MAX_AT_ONCE, Outcome, expert_actions, policy_actions, run_episodes
    from studio.sim.world import World

    act = expert_actions if isinstance(policy, str) else policy_actions(policy)
    parts: list[Outcome] = []
    world = World(domain.domain, domain.new_task(), domain.embodiment, min(episodes, MAX_AT_ONCE))
    try:
        for start in range(0, episodes, MAX_AT_ONCE):
            seeds = range(seed + start, seed + min(start + MAX_AT_ONCE, episodes))
            count = None if tick is None else lambda ended, start=start: tick(start + ended, episodes)
            parts.append(run_episodes(world, act, seeds, needs_observation=not isinstance(policy, str), tick=count))
    finally:
        world.close()
    return score_of(Outcome.joined(parts), domain.task.has_success)


def score_of(outcome: Outcome, has_success: bool) -> Evaluation:
    """Return the score of episodes: the share of successes, or the mean return where their task has no success."""
    values = outcome.successes.astype(float) if has_success else outcome.returns
    low, high = bootstrap_interval(values, shares=has_success)
    mean_return = float(outcome.returns.mean())
    return Evaluation(len(values), float(values.mean()), low, high, mean_return, outcome, measure_of(has_success))


def measure_of(has_success: bool) -> str:
    """Return what a score is of: success, or the return where the task has no success."""
    return "success" if has_success else "return"


def score_of_groups(groups: Sequence[Outcome], has_success: bool) -> Evaluation:
    """Return the score of all groups' episodes; its interval is over groups, whose episodes share an adaptation."""
    from studio.sim.rollout import Outcome

    means = np.array([(group.successes if has_success else group.returns).mean() for group in groups])
    low, high = bootstrap_interval(means, shares=has_success)
    return dataclasses.replace(score_of(Outcome.joined(groups), has_success), low=low, high=high)


def bootstrap_interval(values: np.ndarray, seed: int = 0, shares: bool = True) -> tuple[float, float]:
    """Return the 95% percentile bootstrap interval of the mean.

    Args:
        shares: the values are 0 or 1. Where all of them are equal a bootstrap has no spread; the exact
            (Clopper-Pearson) bound is returned instead, so that 200 of 200 does not read as certainty.
    """
    n = len(values)
    if shares and np.ptp(values) == 0 and values[0] in (0.0, 1.0):
        miss = 0.025 ** (1 / n)
        return (miss, 1.0) if values[0] == 1.0 else (0.0, 1 - miss)
    rng = np.random.default_rng(seed)
    means = np.concatenate([values[rng.integers(0, n, (500, n))].mean(1) for _ in range(RESAMPLES // 500)])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
