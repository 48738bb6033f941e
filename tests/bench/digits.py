"""MNIST to MNIST over photographs: how much of the gap between source only and a target-supervised bound each method
closes, with the checkpoint chosen by labels of other images (oracle) or without labels (mutual information).

Every run has a source policy of its own seed. Its steps 50, 100 … 300 are scored on 1,000 draws of the test images, and
on 1,000 draws of the validation images, by which the step is chosen.

    python tests/bench/digits.py [SEED …]          (five seeds from 0 on; about 12 core-minutes)
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
from _report import finish, row
from _training import RUNS, kept

from studio.experiment import Experiment
from studio.paths import assets
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.score_target import score_target
from studio.run.session import Session
from studio.sim.domains import resolve
from studio.store.checkpoint import load_policy

METHODS = ("source_only", "mmd", "from_scratch", "dann", "coral")
SEEDS = range(5)
TITLES = {"from_scratch": "bound"}
CHOSEN_BY = {"oracle": "selection_score", "label_free": "selection_information"}


def plan_of(method: str, seed: int) -> Experiment:
    """Return the experiment of a method and a seed, which is its source policy's too."""
    plan = Experiment.load(assets() / "experiments" / "digits.yaml")
    own = plan.strategy.params if method == plan.strategy.id else plan.comparison.params.get(method, {})
    changes = {"strategy.id": method, "strategy.params": own, "seed": seed, "pretraining.seed": seed, "device": "cpu"}
    return plan.changed(**changes)


def scores(method: str, seed: int) -> dict[str, dict[str, float]]:
    """Run a method; return by step its test accuracy, and what the step could be chosen by."""
    session = Session(plan_of(method, seed), shared_registry(), Channels(), RUNS / "digits")
    session.run()
    found, last = by_step(session.folder), session.experiment.budget.iterations
    # where an earlier step is published, the last one has no test score of its own yet
    policy, target = load_policy(session.folder, last), resolve(session.experiment.target, shared_registry())
    evaluation = session.experiment.evaluation
    found[str(last)]["test"] = score_target(policy, target, evaluation, evaluation.episodes, evaluation.seed)[-1].score
    return found


def by_step(run: Path) -> dict[str, dict[str, float]]:
    """Return what a run's log says of each scored step."""
    with h5py.File(run / "log.h5", "r") as file:
        metrics, evaluations = file["metrics"][:], file["evaluations"][:]
    found: dict[str, dict[str, float]] = {}
    for e in evaluations[evaluations["domain"] == b"target"]:
        found[str(e["step"])] = {"test": float(e["success"])}
    for name in CHOSEN_BY.values():
        for m in metrics[metrics["name"] == name.encode()]:
            found.setdefault(str(m["step"]), {})[name] = float(m["value"])
    return found


def chosen(steps: dict[str, dict[str, float]], by: str) -> float:
    """Return the test accuracy of the step with the highest criterion."""
    return max(steps.values(), key=lambda values: values[CHOSEN_BY[by]])["test"]


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95% t interval of the mean over seeds."""
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def main(seeds: list[int]) -> None:
    found = {(m, s): kept("digits", f"{m}-{s}", lambda m=m, s=s: scores(m, s)) for s in seeds for m in METHODS}
    rows = []
    for by in CHOSEN_BY:
        table = {m: np.array([chosen(found[m, s], by) for s in seeds]) for m in METHODS}
        for m, values in table.items():
            low, high = interval(values)
            name = f"{TITLES.get(m, m)} {by}"
            rows.append(row(name, float(values.mean()), f"accuracy, 95% [{low:.3f}, {high:.3f}]", seeds=values))
        for m in ("coral", "dann", "mmd"):
            closed = (table[m] - table["source_only"]) / (table["from_scratch"] - table["source_only"])
            low, high = interval(closed)
            goal = ("at least 0.5 by DANN or MMD", bool(closed.mean() >= 0.5)) if m != "coral" else ("", None)
            unit = f"share of the gap, 95% [{low:.3f}, {high:.3f}]"
            rows.append(row(f"gap closed by {m} {by}", float(closed.mean()), unit, *goal, seeds=closed))
    finish(rows)


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or list(SEEDS))
