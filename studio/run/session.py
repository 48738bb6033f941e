"""Session: one experiment being run, from prepare to finished.

The session owns stop, pause, checkpoints, evaluation and the clock; it knows no strategy. It runs the same headless, in
the window's thread, or in a process of its own.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio import paths
from studio.contracts import Problem, Strategy, check_methods
from studio.cores import cores
from studio.errors import CompilingError, DataError, ExperimentError, Stopped
from studio.events import Exported
from studio.experiment import Experiment
from studio.files import write_text
from studio.registry import Registry
from studio.run import devices, pretrain
from studio.run.best import BestPolicy
from studio.run.channels import Channels
from studio.run.check import check, strategy_of
from studio.run.clock import Clock
from studio.run.context import SessionContext
from studio.run.evaluate import measure_of
from studio.run.failures import normalize_disk_error
from studio.run.lengthen import lengthened
from studio.run.pipeline import Pipeline
from studio.run.reporter import Reporter
from studio.run.scoring import Scores
from studio.run.training_loop import TrainingLoop
from studio.sim.domains import resolve
from studio.store.checkpoint import drop_states
from studio.store.input_hashes import input_hashes
from studio.store.log_writer import package_versions
from studio.store.policies import load_policy_folder, save_policy
from studio.store.resolve import resolved
from studio.store.restore import check_resumable
from studio.store.runs import new_folder, read_status


class Session:
    """Run an experiment into a folder.

    Args:
        experiment: what is asked.
        registry: where strategies, policies, tasks, embodiments and formats come from.
        channels: where events, progress and the latest policy go.
        runs_folder: where the run's own folder is made.
    """

    def __init__(self, experiment: Experiment, registry: Registry, channels: Channels, runs_folder: Path) -> None:
        self.experiment, self.registry, self.channels = experiment, registry, channels
        self._parent = Path(runs_folder)
        self._resumed = self._lengthened = False
        self._best: BestPolicy | None = None
        self.clock = Clock()
        self._reporter = Reporter(channels, self.clock)
        self._scores = Scores(experiment, registry, self._reporter)

    @classmethod
    def resume(cls, folder: Path, registry: Registry, channels: Channels, iterations: int | None = None) -> Session:
        """Return a session that continues a stopped, failed or killed run, or lengthens a run.

        Args:
            iterations: a new, larger budget: in all, not in addition. Only with one can a finished run be continued;
                schedules, such as the learning rate's, then follow the new budget from where the run stands.

        Raises:
            DataError: the folder is no such run, or its last training state was deleted, or none of them can be read.
            ExperimentError: its experiment.yaml was changed into something invalid, or ``iterations`` is too few.
        """
        folder = Path(folder)
        status = read_status(folder)
        if status["state"] == "finished" and iterations is None:
            remedy = "Lengthen it with --iterations, or start a new one."
            raise DataError("The run is finished; there is nothing to resume.", str(folder), remedy)
        if status["state"] in ("preparing", "running", "paused"):
            raise DataError("The run is still active.", str(folder), "Stop it first.")
        check_resumable(folder)
        experiment = Experiment.load(folder / "experiment.yaml")
        if iterations is not None:
            experiment = lengthened(folder, experiment, iterations, finished=status["state"] == "finished")
        session = cls(experiment, registry, channels, folder.parent)
        session._reporter.folder, session._resumed, session._lengthened = folder, True, iterations is not None
        session._reporter.status.put(created=status.get("created", time.time()))
        return session

    @property
    def folder(self) -> Path:
        """The run's folder; made when :meth:`run` starts."""
        assert self._reporter.folder is not None, "the session has not started"
        return self._reporter.folder

    @property
    def state(self) -> str:
        """preparing, running, paused, stopped, finished or failed."""
        return self._reporter.state

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """The scores so far, as run.json has them."""
        return self._scores.evaluations

    def scored_step(self, row: Mapping[str, Any]) -> int:
        """Return the step of the policy that a row of the scores is of: a final one is of the best policy, if kept."""
        return self._best.step if self._best is not None and row["final"] else int(row["step"])

    def stop(self) -> None:
        """Ask the session to end with a checkpoint; it can be resumed."""
        self.clock.stop()

    def pause(self) -> None:
        """Ask the session to pause."""
        self.clock.pause()

    def unpause(self) -> None:
        """Continue after a pause."""
        self.clock.unpause()

    def run(self) -> Path:
        """Run to the end, or until stopped. Return the run's folder; raise what made it fail."""
        reporter = self._reporter
        try:
            self._open()
            self._run()
            reporter.set_state("finished")
        except Stopped:
            self._say_stopped()
        except Exception as failure:
            # Ctrl-C reaches the compiler's processes too, and may end them before the session gets to its stop
            if isinstance(failure, CompilingError) and self.clock.stopping:
                self._say_stopped()
                return self.folder
            error = normalize_disk_error(failure, reporter.folder or self._parent)
            reporter.fail(error)
            raise error from error.__cause__
        finally:
            reporter.close()
        return self.folder

    def _say_stopped(self) -> None:
        self._reporter.say(f"Stopped. Resume with: transfer-studio resume {self.folder}")
        self._reporter.set_state("stopped")

    def _open(self) -> None:
        """Check the experiment, and make the run's folder with what describes it."""
        problems: list[Problem] = check(self.experiment, self.registry)
        if problems:
            first = problems[0]
            raise ExperimentError(first.message, first.field, first.remedy)
        self.experiment = resolved(self.experiment, self.registry)
        self._scores = Scores(self.experiment, self.registry, self._reporter)
        for kind in ("datasets", "policies"):
            paths.cache_folder(kind)
        reporter, is_new = self._reporter, self._reporter.folder is None
        try:
            if is_new:
                reporter.folder = new_folder(self._parent, self.experiment)
            if is_new or self._lengthened:
                write_text(self.folder / "experiment.yaml", self.experiment.to_yaml())
            reporter.status.put(versions=package_versions(), inputs=input_hashes(self.experiment, self.registry))
            reporter.set_state("preparing")
            reporter.open_log(self.experiment)
        except OSError as error:
            if is_new and reporter.folder is not None:  # nothing has happened in it yet
                shutil.rmtree(reporter.folder, ignore_errors=True)
                reporter.folder = None
            words = f"The run folder cannot be written ({error.strerror or error})."
            raise ExperimentError(words, str(self._parent), "Choose another with --out.") from None
        reporter.watch_devices()

    def _run(self) -> None:
        """Run the stages: source policy, training, evaluation, export."""
        import torch

        plan, reporter = self.experiment, self._reporter
        device = devices.choose(plan.device)
        torch.set_num_threads(plan.budget.threads or cores())
        kind, params = strategy_of(plan, self.registry)
        reporter.pipeline = Pipeline(kind.stages)
        best = self._best = BestPolicy(plan, self.registry, reporter) if plan.evaluation.keep_best else None
        loop = TrainingLoop(plan, reporter, self._scores, self._resumed, best)
        reporter.set_state("running")
        reporter.enter("source")
        strategy: Strategy = kind(params)
        sources = tuple(resolve(strategy.training_source(domain), self.registry) for domain in plan.sources)
        target = resolve(plan.target, self.registry)
        # the run table and the comparison read it, of a resumed run before its next score too
        reporter.status.note(measure=measure_of(target.task.has_success))
        for robot in dict.fromkeys(domain.embodiment for domain in (*sources, target)):
            for change in robot.changes:
                reporter.say(f"{robot.title}: {change}")
        base = self._source(device, loop) if kind.requires.source_policy else None
        context = SessionContext(
            plan,
            self.registry,
            device,
            sources,
            target,
            base,
            kind.requires.target_data,
            reporter.count,
            reporter.say,
            self.channels.training,
        )
        loop.recorders = context.recorders
        self.channels.training.clear()
        if kind.requires.target_data:
            context.demonstrations(target)
        for source in sources if kind.requires.source_data else ():
            context.demonstrations(source)
        reporter.enter(reporter.pipeline.stages[2])
        torch.manual_seed(plan.seed)
        random.seed(plan.seed)
        strategy.setup(context)
        check_methods(strategy)
        trainable = sum(p.numel() for p in strategy.policy().parameters() if p.requires_grad)
        reporter.status.note(trainable_parameters=trainable)
        loop.run_strategy(strategy)
        reporter.status.note(seconds=loop.seconds)
        reporter.enter("evaluate")
        chosen = None if best is None else best.policy()
        self._scores.score_final(strategy, chosen)
        reporter.enter("export")
        save_policy(strategy.merged_policy() if chosen is None else chosen, self.folder / "policy")
        if best is None:
            strategy.artifacts(self.folder)
        else:
            best.publish_artifacts(self.folder)
        reporter.publish(Exported(str(self.folder)))
        reporter.advance(1, 1)
        drop_states(self.folder, 1)  # from the last one the run can be lengthened

    def _source(self, device: str, loop: TrainingLoop) -> Path:
        """Return the folder of the source policy, which is found, or trained now."""
        plan, reporter, kept = self.experiment, self._reporter, self.folder / "base"
        if (kept / "config.json").exists():
            found: Path | None = kept
        elif plan.pretraining.checkpoint is not None:
            save_policy(pretrain.existing(plan, self.registry), kept)
            reporter.say(f"The source policy is taken from {plan.pretraining.checkpoint}.")
            found = kept
        else:
            found = pretrain.find(plan, self.registry)
        if found is None:
            training = pretrain.pretraining(plan, self.registry, device, reporter.count, reporter.say)
            reporter.enter("pretrain")
            self.channels.training.clear()
            if isinstance(training, pretrain.PretrainingByReinforcement):
                self.channels.training.enter(training.world)
            loop.run_source(training)
            found = pretrain.save(training.policy, plan, self.registry)
        else:
            reporter.enter("pretrain", cached=True)
        if found != kept:
            save_policy(load_policy_folder(found, self.registry), kept)
        return kept
