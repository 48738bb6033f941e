"""What the window asks of the engine, as functions that an application or a test may replace.

Each default imports what it needs at its first call: the window opens without torch and MuJoCo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.contracts import CheckResult, Problem
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.queue_entry import Job
from widgets.runs import disk
from widgets.runs.thread import OpenSession, open_session

if TYPE_CHECKING:
    from studio.analysis.advice import Advice  # these load h5py
    from studio.analysis.matrix_table import MatrixTable


def check(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return everything that keeps the experiment from being run."""
    from studio.run.check import check as find_problems

    return list(find_problems(experiment, registry))


def comparison(experiment: Experiment, registry: Registry, runs_folder: Path) -> tuple[list[Job], list[Path]]:
    """Return what of a comparison is still to be run, in order, and the folders of its finished runs.

    Raises:
        ExperimentError: a run of it cannot start.
    """
    from studio.run.matrix import jobs_of, matrix, plan

    runs = plan(matrix(experiment, registry), registry, runs_folder)
    return jobs_of(experiment, runs), [run.run.folder for run in runs if run.run is not None and run.is_finished]


def matrix_table(experiment: Experiment, registry: Registry, runs_folder: Path) -> MatrixTable:
    """Return the matrix of a comparison, of the runs that there are.

    Raises:
        ExperimentError: the comparison has parameters of a strategy that is not compared.
    """
    from studio.analysis.matrix_table import matrix_table as matrix_of
    from studio.run.decide import known_decisions
    from studio.run.matrix import cells_of

    cells = cells_of(experiment, registry, runs_folder)
    runs = [run for seeds in cells.values() for run in seeds.values() if run is not None]
    return matrix_of(cells, known_decisions(experiment, runs))


def advice(experiment: Experiment, runs_folder: Path) -> Advice:
    """Return what rules of thumb recommend for the experiment, with what was measured."""
    from studio.analysis.advice import advise, figures_folders, own_figures, shipped_figures

    found = own_figures(experiment, runs_folder) + shipped_figures(experiment, figures_folders())
    return advise(experiment, found)


def demonstrations_used(experiment: Experiment, registry: Registry) -> dict[str, bool]:
    """Return for source and target whether a run of the experiment learns from demonstrations of it."""
    from studio.run.check import learns_from_demonstrations

    return learns_from_demonstrations(experiment, registry)


def preflight(experiment: Experiment, registry: Registry) -> list[CheckResult]:
    """Return what the preflight found; not while a training runs, whose random numbers it would draw."""
    from studio.run.preflight import preflight as look

    return look(experiment, registry)


@dataclass(frozen=True)
class Engine:
    """The engine's functions that the window calls. All but ``open_session`` are called off the UI thread."""

    open_session: OpenSession = open_session
    check: Callable[[Experiment, Registry], list[Problem]] = check
    comparison: Callable[[Experiment, Registry, Path], tuple[list[Job], list[Path]]] = comparison
    matrix_table: Callable[[Experiment, Registry, Path], MatrixTable] = matrix_table
    advice: Callable[[Experiment, Path], Advice] = advice
    demonstrations_used: Callable[[Experiment, Registry], dict[str, bool]] = demonstrations_used
    preflight: Callable[[Experiment, Registry], list[CheckResult]] = preflight
    list_runs: Callable[[Path], list[Any]] = disk.list_runs
    trash: Callable[[list[Path]], None] = disk.trash
    export_runs: Callable[[list[Path], Path], list[Path]] = disk.export_runs
    score_run: Callable[[Path, Experiment, Registry, Callable[[], bool]], Any] = disk.score_run
