"""What the window asks of the engine, as functions that an application or a test may replace.

Each default imports what it needs at its first call: the window opens without torch and MuJoCo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.contracts import Problem
from studio.experiment import Experiment
from studio.registry import Registry
from widgets.runs import disk
from widgets.runs.thread import OpenSession, open_session


def check(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return everything that keeps the experiment from being run."""
    from studio.run.check import check as find_problems

    return list(find_problems(experiment, registry))


def matrix(experiment: Experiment, registry: Registry) -> list[Experiment]:
    """Return the experiments of a comparison, in the order in which they are run."""
    from studio.run.matrix import matrix as expand

    return list(expand(experiment, registry))


def demonstrations_used(experiment: Experiment, registry: Registry) -> dict[str, bool]:
    """Return for source and target whether a run of the experiment learns from demonstrations of it."""
    from studio.run.check import learns_from_demonstrations

    return learns_from_demonstrations(experiment, registry)


@dataclass(frozen=True)
class Engine:
    """The engine's functions that the window calls. All but ``open_session`` are called off the UI thread."""

    open_session: OpenSession = open_session
    check: Callable[[Experiment, Registry], list[Problem]] = check
    matrix: Callable[[Experiment, Registry], list[Experiment]] = matrix
    demonstrations_used: Callable[[Experiment, Registry], dict[str, bool]] = demonstrations_used
    list_runs: Callable[[Path], list[Any]] = disk.list_runs
    trash: Callable[[list[Path]], None] = disk.trash
    export_runs: Callable[[list[Path], Path], list[Path]] = disk.export_runs
