"""Plays the evaluation of a comparison's policies in batches, and stops each pair as soon as it is decided."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.analysis.baselines import is_no_transfer
from studio.analysis.sequential import BATCH, Decision, SequentialTest
from studio.contracts import Policy
from studio.errors import Stopped
from studio.events import Logged, Progress, StateChanged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.clock import Clock
from studio.run.evaluate import bootstrap_interval
from studio.run.matrix import Key, matrix, plan
from studio.run.score_target import score_target
from studio.sim.domains import resolve
from studio.store.checkpoint import load_policy
from studio.store.played import read_played, write_played
from studio.store.runs import RunInfo

Array = np.ndarray
Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Pair:
    """Two strategies with the same number of target episodes: runs of the same seeds, one beside the other."""

    episodes: int
    reference: str
    strategy: str
    runs: Sequence[tuple[RunInfo, RunInfo]]  # of the reference and of the strategy


@dataclass(frozen=True)
class PairDecision:
    """A pair and what its episodes decide; ``played`` and ``planned`` count each policy's, over all its seeds."""

    pair: Pair
    decision: Decision

    @property
    def words(self) -> str:
        """The decision in a few words."""
        if self.decision.ahead:
            return f"{self.pair.strategy if self.decision.ahead > 0 else self.pair.reference} is ahead"
        return "not decided yet" if self.decision.open else "no difference shown"

    def to_dict(self) -> dict[str, Any]:
        """Return a row of the table of decisions."""
        found = self.decision
        names = {1: self.pair.strategy, -1: self.pair.reference, 0: None}
        return {
            "strategy": self.pair.strategy,
            "reference": self.pair.reference,
            "episodes": self.pair.episodes,
            "seeds": len(self.pair.runs),
            "played": found.played,
            "planned": found.planned,
            "wins": found.wins,
            "losses": found.losses,
            "ahead": names[found.ahead],
            "alpha": found.alpha,
            "decision": self.words,
        }


def pairs_of(runs: Iterable[RunInfo]) -> list[Pair]:
    """Pair every strategy of a comparison with training without transfer, or with its first strategy where that is not
    compared. Only seeds that both have finished count."""
    by_size: dict[int, dict[str, dict[int, RunInfo]]] = {}
    for run in runs:
        if run.state == "finished":
            by_size.setdefault(run.episodes, {}).setdefault(run.strategy, {})[run.seed] = run
    found = []
    for episodes, strategies in sorted(by_size.items()):
        alone = [name for name, seeds in strategies.items() if is_no_transfer(next(iter(seeds.values())))]
        reference = (alone or list(strategies))[0]
        for name, seeds in strategies.items():
            shared = sorted(seeds.keys() & strategies[reference].keys())
            if name != reference and shared:
                both = [(strategies[reference][seed], seeds[seed]) for seed in shared]
                found.append(Pair(episodes, reference, name, both))
    return found


class PlayedEpisodes:
    """Scores of policies on a comparison's target, from its first evaluation seed on; played where they are missing.

    Args:
        experiment: the comparison's, whose evaluation says how many episodes are planned.
    """

    def __init__(self, experiment: Experiment, registry: Registry, tick: Tick | None = None) -> None:
        self._plan, self._registry, self._tick = experiment.evaluation, registry, tick
        self._target = resolve(experiment.target, registry)
        self._scores: dict[Path, Array] = {}
        self._policies: dict[Path, Policy] = {}

    def scores(self, run: RunInfo, start: int, end: int) -> Array:
        """Return the scores of episodes ``start`` to ``end``, (end − start,); those that are missing are played now."""
        known = self._scores.get(run.folder)
        if known is None:
            known = read_played(run, self._plan.seed)
        if len(known) < end:
            policy = self._policies.get(run.folder)
            if policy is None:
                policy = self._policies[run.folder] = load_policy(run.folder, registry=self._registry)
            count, seed = end - len(known), self._plan.seed + len(known)
            outcome = score_target(policy, self._target, self._plan, count, seed, self._tick)[-1].outcome
            more = outcome.returns if run.measure == "return" else outcome.successes.astype(float)
            known = np.concatenate([known, more])
            low, high = bootstrap_interval(known, shares=run.measure != "return")
            score = {"success": float(known.mean()), "low": low, "high": high}
            write_played(run, self._plan.seed, known, score)
        self._scores[run.folder] = known
        return known[start:end]


def decide_pair(pair: Pair, episodes: PlayedEpisodes, planned: int, alpha: float) -> PairDecision:
    """Play a pair until it is decided or the plan is exhausted. A look follows each batch of every seed."""
    test = SequentialTest(planned * len(pair.runs), alpha)
    for start in range(0, planned, BATCH):
        end = min(start + BATCH, planned)
        first, second = (
            np.concatenate([episodes.scores(both[side], start, end) for both in pair.runs]) for side in (0, 1)
        )
        if test.look(first, second).ahead:
            break
    return PairDecision(pair, test.decision)


def known_decision(pair: Pair, experiment: Experiment) -> PairDecision:
    """Return what the episodes decide that were played already; nothing is played."""
    planned, seed = experiment.evaluation.episodes, experiment.evaluation.seed
    scores = [[read_played(run, seed) for run in both] for both in pair.runs]
    count = min(planned, *(len(each) for both in scores for each in both))
    test = SequentialTest(planned * len(pair.runs), experiment.comparison.alpha)
    for start in range(0, count, BATCH):
        end = min(start + BATCH, count)
        first, second = (np.concatenate([both[side][start:end] for both in scores]) for side in (0, 1))
        if test.look(first, second).ahead:
            break
    return PairDecision(pair, test.decision)


def known_decisions(experiment: Experiment, runs: Iterable[RunInfo]) -> dict[Key, tuple[str, Decision]]:
    """Return, by strategy and episodes, with what each is compared and what the episodes of its pair that were played
    already decide; nothing where the comparison does not stop pairs."""
    if not experiment.comparison.stop_when_decided:
        return {}
    pairs = pairs_of(runs)
    return {(p.strategy, p.episodes): (p.reference, known_decision(p, experiment).decision) for p in pairs}


class DecisionSession:
    """Decides all pairs of a comparison whose runs have ended; it is run, stopped and paused as a run's session is.

    Args:
        experiment: the comparison's.
        folder: where its runs are.
    """

    def __init__(self, experiment: Experiment, registry: Registry, channels: Channels, folder: Path) -> None:
        self.experiment, self._registry, self._channels, self._runs = experiment, registry, channels, folder
        self._clock = Clock()
        self.state = "preparing"
        self.decisions: list[PairDecision] = []
        self.stop, self.pause, self.unpause = self._clock.stop, self._clock.pause, self._clock.unpause

    @property
    def folder(self) -> Path:
        """Raise AssertionError: it makes no run folder of its own."""
        raise AssertionError("a decision has no run folder")

    def run(self) -> None:
        """Decide every pair. Where it is stopped, what was played is kept, and the next time goes on from there."""
        self.state = "failed"  # as long as it has not come to its end
        try:
            self._decide()
            self.state = "finished"
        except Stopped:
            self.state = "stopped"

    def _decide(self) -> None:
        experiments = matrix(self.experiment, self._registry)
        runs = [planned.run for planned in plan(experiments, self._registry, self._runs) if planned.run is not None]
        episodes = PlayedEpisodes(self.experiment, self._registry, lambda ended, wanted: self._clock.tick())
        pairs, settings = pairs_of(runs), self.experiment.comparison
        for place, pair in enumerate(pairs):
            self._clock.tick()
            share = place / len(pairs)
            self._channels.progress.set(Progress("evaluate", place, len(pairs), share, share, math.nan))
            found = decide_pair(pair, episodes, self.experiment.evaluation.episodes, settings.alpha)
            self.decisions.append(found)
            self._channels.events.publish(Logged("info", sentence(found)))
        if runs:
            self._channels.events.publish(StateChanged(str(runs[-1].folder), "finished"))  # the scores have changed


def sentence(found: PairDecision) -> str:
    """Return a decision as the log has it."""
    pair, decision = found.pair, found.decision
    return (
        f"{pair.strategy} against {pair.reference}, {pair.episodes} episodes: {found.words} after {decision.played} of "
        f"{decision.planned} evaluation episodes ({decision.wins} wins, {decision.losses} losses)."
    )
