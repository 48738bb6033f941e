"""Drives a training to its end: metrics, interim scores, checkpoints, copies for watchers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from studio.contracts import Metrics, Strategy
from studio.errors import Stopped, StudioError
from studio.events import CheckpointSaved, EpisodesEnded, MetricsLogged
from studio.experiment import Experiment
from studio.nn.snapshot import snapshot
from studio.run.best import BestPolicy
from studio.run.finite_checks import check_losses, check_weights
from studio.run.pretrain import Pretraining
from studio.run.reporter import Reporter
from studio.run.scoring import Scores
from studio.store.base_weights import BaseWeights, base_of
from studio.store.checkpoint import rng_state, save_checkpoint
from studio.store.policies import save_policy
from studio.store.restore import restore

if TYPE_CHECKING:
    from studio.sim.episode_recorder import EpisodeRecorder

WATCH_SECONDS = 1.0  # how often watchers get a fresh copy of the policy


class Training(Protocol):
    """What is trained and checkpointed: a strategy, or the training of a source policy."""

    @property
    def settings_field(self) -> str:
        """Where in an experiment the settings of its learner are."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class TrainingLoop:
    """Runs trainings of one session, of the source policy and of the strategy, each from its newest checkpoint.

    Args:
        resumed: whether checkpoints of the run are to be continued from.
        best: keeps the best policy; None: the last one counts.
    """

    def __init__(
        self, experiment: Experiment, reporter: Reporter, scores: Scores, resumed: bool, best: BestPolicy | None = None
    ) -> None:
        self._experiment, self._reporter, self._scores = experiment, reporter, scores
        self._resumed, self._best = resumed, best
        self._start = self._last_copy = 0.0
        self._base: BaseWeights | None = None
        self.recorders: Sequence[EpisodeRecorder] = ()  # of the worlds that are trained in

    @property
    def seconds(self) -> float:
        """Training time of the present stage, pauses excluded."""
        return self._reporter.clock.seconds - self._start

    def run_source(self, training: Pretraining) -> None:
        """Train a source policy (see :mod:`studio.run.pretrain`)."""
        learner = training.learner
        self._run("pretrain", training, lambda: training.policy, learner.iterate(), learner.units, None)

    def run_strategy(self, strategy: Strategy) -> None:
        """Train a strategy's policy."""
        self._run("adapt", strategy, strategy.policy, strategy.iterate(), dict(strategy.units), strategy)
        if self._best is not None:
            self._best.consider(strategy, self._experiment.budget.iterations)
        self._show(strategy, every=0)  # the last one too

    def _run(
        self,
        stage: str,
        training: Training,
        policy: Callable[[], Any],
        iterations: Iterator[Metrics],
        units: Mapping[str, str],
        strategy: Strategy | None,
    ) -> None:
        """Drive a training to its end from its newest checkpoint; the last state is kept when it is stopped."""
        reporter, scores, budget = self._reporter, self._scores, self._experiment.budget
        self._start = reporter.clock.seconds
        rate = f"{training.settings_field}.learning_rate"
        step, total = self._restore(stage, training)
        saved = step
        try:
            if strategy is not None and scores.is_due(strategy, step, total) and not scores.has(step):
                self._score(strategy, step)
            for metrics in iterations:
                step, total = metrics.step, metrics.total
                if metrics.stage and metrics.stage != reporter.pipeline.stage:
                    reporter.enter(metrics.stage)
                values = dict(metrics.values)
                reporter.publish(MetricsLogged(metrics.stage or stage, step, reporter.clock.seconds, values, units))
                self._log_episodes(step)
                score, keep = scores.is_due(strategy, step, total), step % budget.checkpoint_every == 0 or step == total
                check_losses(metrics, rate)
                if score or keep:
                    check_weights(policy(), step, rate)
                if math.isnan(metrics.share):
                    reporter.advance(step, total)
                else:
                    reporter.advance(round(1000 * metrics.share), 1000)
                if strategy is not None:
                    self._show(strategy)
                    if score:
                        self._score(strategy, step)
                    if "samples" in values:
                        reporter.status.note(samples=values["samples"])
                if keep:
                    self._checkpoint(stage, step, total, training, strategy)
                    saved = step
                reporter.clock.tick()
        except Stopped:
            if step > saved:
                self._checkpoint(stage, step, total, training, strategy)
            raise

    def _score(self, strategy: Strategy, step: int) -> None:
        """Score the policy of a step: first for selection, so that a stop in between leaves both to be made."""
        if self._best is not None:
            self._best.consider(strategy, step)
        self._scores.score_interim(strategy, step)

    def _log_episodes(self, step: int) -> None:
        """Publish the training episodes that ended since the last iteration."""
        for recorder in self.recorders:
            found = recorder.take()
            if found is not None:
                columns = found.seeds, found.returns, found.lengths, found.successes, found.randomization
                self._reporter.publish(EpisodesEnded("train", step, *columns))

    def _show(self, strategy: Strategy, every: float = WATCH_SECONDS) -> None:
        """Give watchers a copy of the policy, where the last one is old enough."""
        if time.monotonic() - self._last_copy >= every:
            self._last_copy = time.monotonic()
            self._reporter.channels.policy.set(snapshot(strategy.policy()))

    def _checkpoint(self, stage: str, step: int, total: int, training: Training, strategy: Strategy | None) -> None:
        reporter = self._reporter
        assert reporter.folder is not None
        state = {
            "training": training.state_dict(),
            "rng": rng_state(),
            "total": total,
            "way": reporter.pipeline.stage,
            "seconds": reporter.clock.seconds,
            "stage_seconds": self.seconds,
        }
        base = None if strategy is None else self._base_weights(reporter.folder)
        write = None if strategy is None else partial(save_policy, strategy.merged_policy(), base=base)
        reporter.flush_log()  # what goes on from the checkpoint takes the scores before it from there
        try:
            path = save_checkpoint(reporter.folder, stage, step, state, write, base)
        except OSError as error:
            words = f"The checkpoint cannot be written ({error.strerror or error})."
            raise StudioError(words, str(reporter.folder), "Free disk space, then resume.") from None
        reporter.publish(CheckpointSaved(stage, step, str(path)))

    def _base_weights(self, run: Path) -> BaseWeights | None:
        """Return the run's base, opened once."""
        if self._base is None:
            self._base = base_of(run)
        return self._base

    def _restore(self, stage: str, training: Training) -> tuple[int, int]:
        """Restore the newest checkpoint; return the step that the training continues from, and of how many."""
        reporter, planned = self._reporter, self._experiment.budget.iterations
        assert reporter.folder is not None
        found = restore(reporter.folder, stage, training, reporter.say) if self._resumed else None
        if found is None:
            return 0, planned
        step, state = found
        reporter.clock.offset += max(0.0, float(state["seconds"]) - reporter.clock.seconds)
        self._start = reporter.clock.seconds - float(state["stage_seconds"])
        if stage == "adapt":
            self._scores.restore(step)
        if state.get("way", reporter.pipeline.stage) != reporter.pipeline.stage:
            reporter.enter(state["way"])
        return step, int(state.get("total", planned))
