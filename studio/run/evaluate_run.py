"""Scores a finished run's policy on the target of another experiment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from studio.errors import DataError, ExperimentError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.check_domain import check_domain
from studio.run.evaluate import Evaluation
from studio.run.fit import misfit
from studio.run.score_target import score_target
from studio.sim.domains import resolve
from studio.store.checkpoint import load_policy


def evaluate_run(
    run: Path, experiment: Experiment, registry: Registry, tick: Callable[[int, int], None] | None = None
) -> Evaluation:
    """Return the score of a run's policy on an experiment's target, over that experiment's evaluation episodes.

    Args:
        tick: called with (episodes ended, episodes); it may raise to leave.

    Raises:
        DataError: the folder is not a run, or the run has no result yet.
        ExperimentError: the target has a problem, or the policy cannot act there.
    """
    run = Path(run)
    if not (run / "experiment.yaml").is_file():
        raise DataError("There is no run in this folder.", str(run), "Name the folder of a run.")
    if not (run / "policy" / "config.json").is_file():
        raise DataError("The run has no result yet.", str(run), "Let it finish: transfer-studio resume.")
    problems = check_domain("target", experiment.target, registry)
    if not problems:
        trained = Experiment.load(run / "experiment.yaml")
        found = misfit(trained.policy.id, trained.target, experiment.target, registry)
        problems = [] if found is None else [found]
    for problem in problems:
        field = problem.field if problem.field.startswith("target.") else f"target.{problem.field}"
        raise ExperimentError(problem.message, field, problem.remedy)
    plan = experiment.evaluation
    policy = load_policy(run, registry=registry)
    return score_target(policy, resolve(experiment.target, registry), plan, plan.episodes, plan.seed, tick)[-1]


def leaves_out_shots(run: Path, experiment: Experiment, registry: Registry) -> bool:
    """Return whether an experiment asks for a score after shots that :func:`evaluate_run` of a run does not give: its
    policy is adapted by its strategy alone, not by what it observes."""
    trained = Experiment.load(Path(run) / "experiment.yaml")
    kind = registry.get("policies", trained.policy.id, "policy.id")
    return experiment.evaluation.uses_shots and not (kind.plays_trials or kind.reads_support)
