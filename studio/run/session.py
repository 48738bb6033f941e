"""Session: one experiment being run, from prepare to finished.

The session owns stop, pause, checkpoints, evaluation and the clock; it knows no strategy. It runs the same headless, in
the window's thread, or in a process of its own.
"""

from __future__ import annotations

import copy
import math
import random
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio import paths
from studio.contracts import Metrics, Problem, Strategy
from studio.cores import cores
from studio.data.datasets import demonstrations
from studio.errors import DataError, ExperimentError, Stopped, StudioError
from studio.events import (
    CheckpointSaved,
    DeviceSample,
    EpisodesEnded,
    Exported,
    Logged,
    MetricsLogged,
    StageChanged,
    StateChanged,
)
from studio.experiment import Experiment
from studio.files import write_text
from studio.registry import Registry
from studio.run import devices, pretrain
from studio.run.channels import Channels
from studio.run.check import check, strategy_of
from studio.run.clock import Clock
from studio.run.context import Context
from studio.run.evaluate import evaluate
from studio.run.failures import failure_event, normalize_disk_error
from studio.run.finite_checks import check_losses, check_weights
from studio.run.pipeline import Pipeline
from studio.sim.domains import embodiment_of
from studio.store.checkpoint import drop_states, restore, rng_state, save_checkpoint
from studio.store.input_hashes import input_hashes
from studio.store.policies import fit_to_source, load_policy_folder, save_policy
from studio.store.resolve import resolved
from studio.store.run_log import RunLog, package_versions
from studio.store.runs import Status, interim_evaluations, new_folder, read_status

if TYPE_CHECKING:
    from studio.sim.episode_recorder import EpisodeRecorder

WATCH_SECONDS = 1.0  # how often watchers get a fresh copy of the policy
HEARTBEAT_SECONDS = 5.0


class Session:
    """Runs an experiment into a folder.

    Args:
        experiment: what is asked.
        registry: where strategies, policies, tasks, embodiments and formats come from.
        channels: where events, progress and the latest policy go.
        runs_folder: where the run's own folder is made.
    """

    def __init__(self, experiment: Experiment, registry: Registry, channels: Channels, runs_folder: Path) -> None:
        self.experiment, self.registry, self.channels = experiment, registry, channels
        self._parent = Path(runs_folder)
        self._folder: Path | None = None
        self.state = "preparing"
        self.evaluations: list[dict[str, Any]] = []
        self.clock = Clock()
        self._status = Status()
        self._resumed = False
        self._pipeline = Pipeline()
        self._recorders: list[EpisodeRecorder] = []
        self._log: RunLog | None = None
        self._sampler: devices.Sampler | None = None
        self._began = self._watched = self._beaten = 0.0  # when the stage, the last copy, the last heartbeat were

    @classmethod
    def resume(cls, folder: Path, registry: Registry, channels: Channels) -> Session:
        """A session that goes on where a stopped, failed or killed one left off. Raises DataError, ExperimentError."""
        folder = Path(folder)
        status = read_status(folder)
        if status["state"] == "finished":
            raise DataError("The run is finished; there is nothing to resume.", str(folder), "Start a new one.")
        if status["state"] in ("preparing", "running", "paused"):
            raise DataError("The run is still going on.", str(folder), "Stop it first.")
        session = cls(Experiment.load(folder / "experiment.yaml"), registry, channels, folder.parent)
        session._folder, session._resumed = folder, True
        session._status.put(created=status.get("created", time.time()))
        return session

    @property
    def folder(self) -> Path:
        """The run's folder; made when :meth:`run` starts."""
        assert self._folder is not None, "the session has not started"
        return self._folder

    def stop(self) -> None:
        """Asks the session to end with a checkpoint; it can be resumed."""
        self.clock.stop()

    def pause(self) -> None:
        """Asks the session to hold."""
        self.clock.pause()

    def unpause(self) -> None:
        """Lets it go on."""
        self.clock.unpause()

    def run(self) -> Path:
        """Runs to the end, or until stopped. Returns the run's folder; raises what made it fail."""
        try:
            self._open()
            self._run()
            self._set_state("finished")
        except Stopped:
            self._say(f"Stopped. Resume with: transfer-studio resume {self.folder}")
            self._set_state("stopped")
        except Exception as failure:
            error = normalize_disk_error(failure, self._folder or self._parent)
            self._fail(error)
            raise error from error.__cause__
        finally:
            self._close()
        return self.folder

    # -- the way of an experiment --------------------------------------------------------------------------------

    def _run(self) -> None:
        import torch

        plan = self.experiment
        device = devices.choose(plan.device)
        torch.set_num_threads(plan.budget.threads or cores())
        strategy, params = strategy_of(plan, self.registry)
        self._pipeline = Pipeline(strategy.stages)
        self._set_state("running")
        self._enter("source")
        base = self._source(device) if strategy.requires.source_policy else None
        embodiment = embodiment_of(plan.target, self.registry)
        episodes = None
        if strategy.requires.target_data:
            episodes = demonstrations(plan.target, self.registry, plan.seed, self._count)
        self._enter(self._pipeline.stages[2])
        instance: Strategy = strategy(params)
        torch.manual_seed(plan.seed)
        random.seed(plan.seed)
        context = Context(plan, self.registry, device, embodiment, episodes, base, self._count, self._say)
        self._recorders = context.recorders
        context.watched = self.channels.training
        context.watched.clear()
        instance.setup(context)
        trainable = sum(p.numel() for p in instance.policy().parameters() if p.requires_grad)
        self._status.note(trainable_parameters=trainable)
        self._train("adapt", instance, instance.iterate(), dict(instance.units), instance)
        self._watch(instance, every=0)  # the last one too
        self._status.note(seconds=self.clock.seconds - self._began)
        self._enter("evaluate")
        step = plan.budget.iterations
        self._score(instance, "target", step, plan.evaluation.episodes, final=True)
        if plan.evaluation.source_episodes:
            self._score(instance, "source", step, plan.evaluation.source_episodes, final=True)
        self._enter("export")
        self._export(instance, base)
        drop_states(self.folder, 1)  # it will not be resumed

    def _source(self, device: str) -> Path:
        """The source policy's folder: found, or trained now."""
        kept = self.folder / "base"
        if (kept / "config.json").exists():
            found: Path | None = kept
        else:
            found = pretrain.find(self.experiment, self.registry)
        if found is None:
            training = pretrain.pretraining(self.experiment, self.registry, device, self._count, self._say)
            self._enter("pretrain")
            self.channels.training.clear()
            if isinstance(training, pretrain.Reinforcing):
                self.channels.training.enter(training.world)
            self._train("pretrain", training, training.learner.iterate(), training.learner.units, None)
            found = pretrain.save(training.policy, self.experiment, self.registry)
        else:
            self._enter("pretrain", cached=True)
        if found != kept:
            save_policy(load_policy_folder(found, self.registry), kept)
        return kept

    def _train(
        self, stage: str, state: Any, iterations: Iterator[Metrics], units: Any, strategy: Strategy | None
    ) -> None:
        """Drives a training to its end from its newest checkpoint; the last state is kept when it is stopped."""
        budget, evaluation = self.experiment.budget, self.experiment.evaluation
        self._began = self.clock.seconds
        rate = f"{state.settings_field}.learning_rate"
        step, total = self._restore(stage, state)
        saved = step
        try:
            if strategy is not None and self._due(strategy, step, total) and not self._scored(step):
                self._score(strategy, "target", step, evaluation.short_episodes, final=False)
            for metrics in iterations:
                step, total = metrics.step, metrics.total
                if metrics.stage and metrics.stage != self._pipeline.stage:
                    self._enter(metrics.stage)
                self.channels.events.publish(
                    MetricsLogged(metrics.stage or stage, step, self.clock.seconds, dict(metrics.values), units)
                )
                self._log_episodes(step)
                score, keep = self._due(strategy, step, total), step % budget.checkpoint_every == 0 or step == total
                check_losses(metrics, rate)
                if score or keep:
                    check_weights(state.policy if strategy is None else strategy.policy(), step, rate)
                if math.isnan(metrics.share):
                    self._advance(step, total)
                else:
                    self._advance(round(1000 * metrics.share), 1000)
                if strategy is not None:
                    self._watch(strategy)
                    if score:
                        self._score(strategy, "target", step, evaluation.short_episodes, final=False)
                if strategy is not None and "samples" in metrics.values:
                    self._status.note(samples=metrics.values["samples"])
                if keep:
                    self._checkpoint(stage, step, total, state, strategy)
                    saved = step
                self.clock.tick()
        except Stopped:
            if step > saved:
                self._checkpoint(stage, step, total, state, strategy)
            raise

    def _due(self, strategy: Strategy | None, step: int, total: int) -> bool:
        """Whether the policy of a step is to be scored: before the first one only where it acts at once."""
        every = self.experiment.evaluation.every
        if strategy is None or not every or step % every or step >= total:
            return False
        return step > 0 or strategy.requires.evaluate_at_zero

    def _scored(self, step: int) -> bool:
        """Whether it has that score: not where a stop came between the step and its evaluation."""
        return any((row["domain"], row["step"], row["final"]) == ("target", step, False) for row in self.evaluations)

    def _score(self, strategy: Strategy, name: str, step: int, episodes: int, final: bool) -> None:
        """Evaluates the policy on the target, or on the source: fitted back to it where it descends from a source
        policy, since what was forgotten is a result; as it is where one network fits both."""
        plan, base = self.experiment.evaluation, self.folder / "base"
        descends = name == "source" and base.exists()
        if name == "source" and not (descends or strategy.requires.same_spaces):
            return  # it was never there
        policy: Any = copy.deepcopy(strategy.merged_policy() if descends else strategy.policy()).eval()
        if descends:
            fit_to_source(policy, base, self.registry)
        domain = self.experiment.source if name == "source" else self.experiment.target
        # a short evaluation in the middle of a training is no progress of its own
        tick = self._count if final else lambda ended, wanted: self.clock.tick()
        result = evaluate(policy, domain, self.registry, episodes, plan.seed, tick)
        stage = "evaluate" if final else self._pipeline.stage
        self.evaluations.append({"domain": name, "step": step, "final": final, **result.to_dict()})
        self._status.note(measure=result.measure)  # a run that is stopped has its numbers read all the same
        for event in result.events(stage, name, step, plan.seed, final):
            self.channels.events.publish(event)
        if final:
            values = {"success": result.success, "low": result.low, "high": result.high, "return": result.mean_return}
            prefix = "" if name == "target" else "source_"
            self._status.note(measure=result.measure, **{prefix + key: value for key, value in values.items()})
            self._status.put(evaluations=[*self.evaluations])

    def _log_episodes(self, step: int) -> None:
        """Publishes what became of the training's own episodes since the last iteration."""
        for recorder in self._recorders:
            found = recorder.take()
            if found is not None:
                columns = found.seeds, found.returns, found.lengths, found.successes, found.randomization
                self.channels.events.publish(EpisodesEnded("train", step, *columns))

    def _export(self, strategy: Strategy, base: Path | None) -> None:
        save_policy(strategy.merged_policy(), self.folder / "policy")
        strategy.artifacts(self.folder)
        self.channels.events.publish(Exported(str(self.folder)))
        self._advance(1, 1)

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def _checkpoint(self, stage: str, step: int, total: int, training: Any, strategy: Strategy | None) -> None:
        state = {"training": training.state_dict(), "rng": rng_state(), "total": total, "way": self._pipeline.stage}
        state |= {"seconds": self.clock.seconds, "stage_seconds": self.clock.seconds - self._began}
        write = None if strategy is None else partial(save_policy, strategy.merged_policy())
        try:
            path = save_checkpoint(self.folder, stage, step, state, write)
        except OSError as error:
            words = f"The checkpoint cannot be written ({error.strerror or error})."
            raise StudioError(words, str(self.folder), "Free disk space, then resume.") from None
        self.channels.events.publish(CheckpointSaved(stage, step, str(path)))

    def _restore(self, stage: str, training: Any) -> tuple[int, int]:
        """The step that the training goes on from, and of how many."""
        found = restore(self.folder, stage, training, self._say) if self._resumed else None
        if found is None:
            return 0, self.experiment.budget.iterations
        step, state = found
        self.clock.offset += max(0.0, float(state["seconds"]) - self.clock.seconds)
        self._began = self.clock.seconds - float(state["stage_seconds"])
        if stage == "adapt":
            self.evaluations = interim_evaluations(self.folder, step)
        if state.get("way", self._pipeline.stage) != self._pipeline.stage:
            self._enter(state["way"])
        return step, int(state.get("total", self.experiment.budget.iterations))

    # -- telling -------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        problems: list[Problem] = check(self.experiment, self.registry)
        if problems:
            first = problems[0]
            raise ExperimentError(first.message, first.field, first.remedy)
        self.experiment = resolved(self.experiment, self.registry)
        for kind in ("datasets", "policies"):
            paths.cache_folder(kind)
        made = self._folder is None
        try:
            if self._folder is None:
                self._folder = new_folder(self._parent, self.experiment)
                write_text(self._folder / "experiment.yaml", self.experiment.to_yaml())
            self._status.put(versions=package_versions(), inputs=input_hashes(self.experiment, self.registry))
            self._set_state("preparing")
            self._log = RunLog(self._folder / "log.h5", self.channels.events, self.experiment)
        except OSError as error:
            if made and self._folder is not None:  # nothing has happened in it yet
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None
            words = f"The run folder cannot be written ({error.strerror or error})."
            raise ExperimentError(words, str(self._parent), "Choose another with --out.") from None
        self._sampler = devices.Sampler(self._sampled)

    def _close(self) -> None:
        if self._sampler is not None:
            self._sampler.close()
        if self._log is not None:
            self._log.close()

    def _sampled(self, sample: DeviceSample) -> None:
        self.channels.events.publish(sample)
        if time.monotonic() - self._beaten > HEARTBEAT_SECONDS:
            self._beat()

    def _beat(self) -> None:
        self._beaten = time.monotonic()
        if self._sampler is not None:
            self._status.note(peak_memory_mb=self._sampler.peak_memory_mb)
        try:
            self._status.save(self.folder, self.state, self._pipeline.stage)
        except OSError as error:  # a full disk must not end a training that can still finish
            self._say(f"run.json cannot be written ({error.strerror}). Free disk space.", "error")

    def _set_state(self, state: str) -> None:
        self.state = state
        self.channels.events.publish(StateChanged(str(self.folder), state))
        if state == "preparing":
            self._status.save(self.folder, state, self._pipeline.stage)
        else:
            self._beat()

    def _enter(self, stage: str, cached: bool = False) -> None:
        self._pipeline.enter(stage, cached)
        self.channels.events.publish(StageChanged(stage, cached, self._pipeline.stages))
        self._advance(0, 0)
        self.clock.tick()

    def _count(self, made: int, wanted: int) -> None:
        self._advance(made, wanted)
        self.clock.tick()

    def _advance(self, step: int, total: int) -> None:
        self.channels.progress.set(self._pipeline.progress(step, total, self.clock.seconds))
        if self.clock.paused and self.state == "running":
            self._set_state("paused")
            self.clock.tick()
            self._set_state("running")

    def _watch(self, strategy: Strategy, every: float = WATCH_SECONDS) -> None:
        if time.monotonic() - self._watched >= every:
            self._watched = time.monotonic()
            self.channels.policy.set(copy.deepcopy(strategy.policy()).eval())

    def _say(self, text: str, level: str = "info") -> None:
        self.channels.events.publish(Logged(level, text))

    def _fail(self, error: Exception) -> None:
        failed = failure_event(error)
        self.channels.events.publish(failed)
        if self._folder is not None:
            self._status.put(error={"message": failed.message, "field": failed.field, "remedy": failed.remedy})
            self._set_state("failed")
