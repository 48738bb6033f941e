"""Runs of benches that compare strategies: those that exist under the folder are taken as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studio.analysis.statistics import resampled_means
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.run import matrix
from studio.run.channels import Channels
from studio.run.session import Session
from studio.store.runs import RunInfo, read_status

RUNS = Path(__file__).resolve().parents[2] / "runs" / "bench"


def run_all(plans: Sequence[Experiment], folder: Path) -> list[RunInfo]:
    """Run what has not been run; raise what a run fails with."""

    def failed(session: Session, error: Exception) -> None:
        raise error

    return matrix.run_all(plans, shared_registry(), folder, lambda index, plan: Channels(), Session.run, failed)


def evaluations(info: RunInfo) -> list[dict[str, Any]]:
    """Return all scores of a run, as its run.json has them."""
    found: list[dict[str, Any]] = read_status(info.folder)["evaluations"]
    return found


def success(id: str, runs: Sequence[RunInfo], **more: Any) -> dict[str, Any]:
    """Return a row: the mean success of runs that differ in their seed, 95% interval over seeds and episodes."""
    low, high = np.quantile(resampled_means(runs), [0.025, 0.975])
    return {
        "id": id,
        "value": round(float(np.mean([run.success for run in runs])), 4),
        "unit": f"success, 95% [{low:.3f}, {high:.3f}]",
        "seeds": {str(run.seed): run.success for run in runs},
        **more,
    }
