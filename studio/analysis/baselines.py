"""Training without transfer: what other strategies are compared with, in both tables of a comparison."""

from __future__ import annotations

from collections.abc import Iterable

from studio.experiment import Experiment
from studio.store.runs import RunInfo


def is_no_transfer(run: RunInfo) -> bool:
    """Whether a run learned on its target alone: ``from_scratch``, or ``rl_from_scratch`` that trained there."""
    if run.strategy == "rl_from_scratch":
        return bool(Experiment.load(run.folder / "experiment.yaml").strategy.params.get("train_on") == "target")
    return run.strategy == "from_scratch"


def baselines(runs: Iterable[RunInfo]) -> dict[int, list[RunInfo]]:
    """Return number of episodes → the runs without transfer, all of one strategy."""
    found: dict[int, list[RunInfo]] = {}
    for run in sorted(filter(is_no_transfer, runs), key=lambda run: run.strategy):
        group = found.setdefault(run.episodes, [])
        if not group or group[0].strategy == run.strategy:
            group.append(run)
    return found
