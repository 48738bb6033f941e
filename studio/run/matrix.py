"""Runs a comparison: strategies × data sizes × seeds, and what of it has been run already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.analysis.sequential import BATCH
from studio.errors import DataError, ExperimentError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.queue_entry import Job
from studio.run.session import Session
from studio.store.input_hashes import input_hashes
from studio.store.resolve import resolved
from studio.store.restore import check_resumable
from studio.store.runs import RunInfo, list_runs, read_run

UNFINISHED = ("stopped", "interrupted")
Key = tuple[str, int]  # strategy and number of episodes


def matrix(experiment: Experiment, registry: Registry) -> list[Experiment]:
    """Return the experiments of a comparison.

    The experiment's own parameters apply to its own strategy alone; others have theirs in the comparison. A strategy
    that learns from no demonstrations is run for the first of several numbers of them alone. Where pairs are to stop
    when they are decided, a run's own evaluation is the first batch of episodes; :mod:`studio.run.decide` plays more.

    Raises:
        ExperimentError: there are parameters of a strategy that is not compared, or pairs cannot be decided.
    """
    plan, own, runs = experiment.comparison, experiment.strategy.id, []
    for id in plan.params:
        if id != own and id not in plan.strategies:
            raise ExperimentError(
                f"There are parameters for '{id}', which is not among the strategies that are compared.",
                f"comparison.params.{id}",
                "Add it to the strategies.",
            )
    if plan.stop_when_decided and experiment.evaluation.uses_shots:
        raise ExperimentError(
            "Policies that are scored after shots of a new task cannot be compared in batches.",
            "comparison.stop_when_decided",
            "Switch it off, or set evaluation.shots to [0].",
        )
    most = experiment.evaluation.episodes
    evaluated = min(most, BATCH) if plan.stop_when_decided else most
    kinds = registry.all("strategies")
    for place, episodes in enumerate(plan.episodes or [experiment.target.episodes]):
        for seed in plan.seeds or [experiment.seed]:
            for strategy in plan.strategies or [experiment.strategy.id]:
                if place and strategy in kinds and not kinds[strategy].requires.target_data:
                    continue
                params = experiment.strategy.params if strategy == own else plan.params.get(strategy, {})
                runs.append(
                    experiment.changed(
                        name=f"{experiment.name}-{strategy}-{episodes}-{seed}",
                        strategy={"id": strategy, "params": params},
                        seed=seed,
                        comparison={},
                        **{"target.episodes": episodes, "evaluation.episodes": evaluated},
                    )
                )
    return runs


@dataclass(frozen=True)
class Planned:
    """One run of a comparison. ``run`` is its finished run, or an unfinished one to resume; None: it has none yet."""

    experiment: Experiment
    run: RunInfo | None

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.run is not None and self.run.state == "finished"


class _ExistingRuns:
    """The runs under a folder by their content: of equal ones a finished one, then the newest.

    Args:
        states: only runs in one of these; None: in any.
    """

    def __init__(self, registry: Registry, folder: Path, states: tuple[str, ...] | None = None) -> None:
        self._registry = registry
        self._runs: dict[tuple[str, tuple[tuple[str, str], ...]], RunInfo] = {}
        for run in sorted(list_runs(folder), key=lambda run: run.state != "finished"):
            if states is None or run.state in states:
                self._runs.setdefault((run.experiment_hash, run.inputs), run)
        finished = {run.evaluation_episodes for run in self._runs.values() if run.state == "finished"}
        self._longer = sorted(count for count in finished if count > BATCH)

    def find(self, experiment: Experiment) -> RunInfo | None:
        """Return the run of an experiment, robots and data included; None: there is none, or it cannot be resolved.

        Where the first batch of evaluation episodes is enough, a finished run that was evaluated on more of them will
        do as well.
        """
        try:
            files = tuple(sorted(input_hashes(experiment, self._registry).items()))
            run = self._runs.get((resolved(experiment, self._registry).content_hash(), files))
            if run is None and experiment.evaluation.episodes == BATCH:
                for count in self._longer:
                    longer = experiment.changed(**{"evaluation.episodes": count})
                    found = self._runs.get((resolved(longer, self._registry).content_hash(), files))
                    if found is not None and found.state == "finished":
                        return found
        except (DataError, ExperimentError):
            return None  # the check reports what is wrong
        return run


def plan(experiments: Iterable[Experiment], registry: Registry, folder: Path) -> list[Planned]:
    """Return what is to be run and what has been run already under ``folder``: a finished run of the same content,
    robots and data included, counts; one that was stopped or interrupted can be resumed, unless all its checkpoints are
    damaged.

    Raises:
        ExperimentError: experiments that are not finished cannot start. It names every problem that there is.
    """
    existing = _ExistingRuns(registry, folder, ("finished", *UNFINISHED))
    plans = [Planned(experiment, _usable(existing.find(experiment))) for experiment in experiments]
    problems: dict[tuple[str, str, str], list[str]] = {}  # the names of the experiments that have it
    for found in plans:
        for problem in [] if found.is_finished else check(found.experiment, registry):
            key = (problem.message, problem.field, problem.remedy)
            problems.setdefault(key, []).append(found.experiment.name)
    if problems:
        raise _cannot_start(problems)
    return plans


def _usable(run: RunInfo | None) -> RunInfo | None:
    """Return a run that is finished or can be resumed; None where it needs a new run beside it."""
    if run is not None and run.state != "finished":
        try:
            check_resumable(run.folder)
        except DataError:
            return None
    return run


def _cannot_start(problems: Mapping[tuple[str, str, str], Sequence[str]]) -> ExperimentError:
    """Return an error that says each problem (its message, field and remedy) once, and whose it is."""
    sentences = []
    for (message, _, _), names in problems.items():
        more = len(names) - 1
        others = f" and {more} {'other' if more == 1 else 'others'}" if more else ""
        sentences.append(f"'{names[0]}'{others} cannot start: {message}")
    if len(problems) == 1:
        ((_, field, remedy),) = problems
        return ExperimentError(sentences[0], field, remedy)
    remedies = (f" {remedy} ({field})" for _, field, remedy in problems)
    lines = "\n".join(f"- {words}{remedy}" for words, remedy in zip(sentences, remedies, strict=True))
    message = f"Nothing was started, for {len(problems)} reasons:\n{lines}\nChange this, or leave those strategies out."
    return ExperimentError(message, "comparison")


def cells_of(experiment: Experiment, registry: Registry, folder: Path) -> dict[Key, dict[int, RunInfo | None]]:
    """Return a comparison's runs under ``folder`` by strategy and episodes, and by seed: the newest of each content, a
    finished one before others, in whatever state it is; None where there is none.

    Raises:
        ExperimentError: the comparison has parameters of a strategy that is not compared.
    """
    existing = _ExistingRuns(registry, folder)
    cells: dict[Key, dict[int, RunInfo | None]] = {}
    for planned in matrix(experiment, registry):
        cells.setdefault((planned.strategy.id, planned.target.episodes), {})[planned.seed] = existing.find(planned)
    return cells


def jobs_of(experiment: Experiment, runs: Iterable[Planned]) -> list[Job]:
    """Return what a queue has to do for a comparison: runs that are not finished, then its decisions where it asks for
    them."""
    jobs = [Job(run.experiment, run.run.folder if run.run else None) for run in runs if not run.is_finished]
    return [*jobs, Job(experiment, decides=True)] if experiment.comparison.stop_when_decided else jobs


def run_all(
    experiments: Iterable[Experiment],
    registry: Registry,
    folder: Path,
    channels: Callable[[int, Experiment], Channels],
    drive: Callable[[Session], object],
    failed: Callable[[Session, Exception], object],
) -> list[RunInfo]:
    """Run what has not been run yet, as :func:`plan` finds it. Ends where one is stopped.

    Args:
        channels: gives the channels of the session with this index.
        drive: runs a session (``Session.run``, with whatever the caller wants to do around it).
        failed: is called with a session that failed and its error; the others still run.

    Raises:
        ExperimentError: an experiment cannot start. All are checked before the first one does.
    """
    found: list[RunInfo] = []
    for index, planned in enumerate(plan(experiments, registry, folder)):
        experiment, known = planned.experiment, planned.run
        if known is None or not planned.is_finished:
            own_channels = channels(index, experiment)
            if known is None:
                session = Session(experiment, registry, own_channels, folder)
            else:
                session = Session.resume(known.folder, registry, own_channels)
            try:
                drive(session)
            except Exception as error:
                recorded = session.state == "failed"  # its folder records the failure
                if not recorded and not found:
                    raise
                failed(session, error)
                if not recorded:
                    break  # the runs folder itself is at fault: the next would fail too
            known = read_run(session.folder)
        found.append(known)
        if known.state not in ("finished", "failed"):
            break
    return found
