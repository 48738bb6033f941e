"""The control of meta-learning: a policy that is pretrained on a whole family and fine-tuned to each task by PPO.

The experiments are ``assets/experiments/fine_tuned_cheetah_*.yaml``: the cheetah's direction, whose two tasks training
has too, and velocities between 0 and 2 m/s, of which those are tested that no training of a meta-learner draws. The
pretrained policy does not observe the task. An iteration of the fine-tuning is 2,000 environment steps: as many as one
gradient step of MAML takes. Intervals are over the tasks of all seeds.

``python tests/bench/fine_tuned_control.py FOLDER FAMILY SEED …`` runs what is not in the folder of runs yet, without
more.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import finish, row
from _sessions import RUNS, evaluations, run_all

from studio.experiment import Experiment
from studio.meta.task_split import split
from studio.registry import shared_registry
from studio.run.evaluate import bootstrap_interval
from studio.sim.domains import resolve
from studio.store.runs import RunInfo

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "experiments"
SEEDS = (0, 1, 2)
VELOCITIES = 8
ITERATIONS = (0, 1, 5, 20, 50, 100)
STEPS = 2000  # environment steps of an iteration


def contexts(plan: Experiment, family: str) -> list[list[float]]:
    """Return the tasks that are fine-tuned to."""
    if family == "direction":
        return [[-1.0], [1.0]]
    held = split(resolve(plan.source, shared_registry()), plan.evaluation.seed).inside
    return [list(context) for context in held[:VELOCITIES]]


def return_at(run: RunInfo, iteration: int) -> float:
    """Return the mean return after so many iterations."""
    (score, *_) = [one for one in evaluations(run) if one["step"] == iteration and one["domain"] == "target"]
    return float(score["mean_return"])


def figures(family: str, seeds: Sequence[int], folder: Path) -> list[dict[str, Any]]:
    """Return a family's rows; run what has not been run."""
    plan = Experiment.load(ASSETS / f"fine_tuned_cheetah_{family}.yaml")
    tasks = contexts(plan, family)
    plans = [
        plan.changed(seed=seed, **{"pretraining.seed": seed, "target.contexts": [task]})
        for seed in seeds
        for task in tasks
    ]
    runs, rows = run_all(plans, folder), []
    for iteration in ITERATIONS:
        found = np.array([return_at(run, iteration) for run in runs])
        low, high = bootstrap_interval(found, shares=False)
        of_seed = found.reshape(len(seeds), len(tasks))
        unit = f"return, 95% [{low:.1f}, {high:.1f}], {len(tasks)} tasks"
        label = f"{family}, fine-tuned with {iteration * STEPS} environment steps"
        rows.append(row(label, float(found.mean()), unit, seeds=of_seed.mean(1).tolist()))
        if family == "direction":
            rows[-1]["tasks"] = {"backward": of_seed[:, 0].tolist(), "forward": of_seed[:, 1].tolist()}
    seconds = [run.seconds for run in runs]
    return [*rows, row(f"{family}: a fine-tuning", float(np.median(seconds)), "s of one core, the median")]


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1]) if sys.argv[1:] else RUNS / "fine_tuned_control"
    chosen = {sys.argv[2]: tuple(map(int, sys.argv[3:])) or SEEDS} if sys.argv[2:] else {}
    finish(
        [
            found
            for family, seeds in (chosen or {"direction": SEEDS, "velocity": SEEDS}).items()
            for found in figures(family, seeds, place)
        ]
    )
