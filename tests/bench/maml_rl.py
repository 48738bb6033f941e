"""MAML and MAESN from rewards: point navigation, the sparse half circle, the cheetah's direction and velocity; inside
and outside of the range of training.

The experiments are ``assets/experiments/maml_point_navigation.yaml``, ``maesn_half_circle_sparse.yaml`` and
``maml_cheetah_*.yaml``. A score after n steps is the mean return of policies that were adapted to one held-out
task each, by n gradient steps on fresh episodes of it; intervals are over the tasks of all seeds. (The cheetah has two
tasks, which training has too: it is scored on these.)

``python tests/bench/maml_rl.py FOLDER FAMILY SEED …`` runs what is not in the folder of runs yet, without more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import finish, row
from _sessions import RUNS, evaluations, run_all

from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.run.evaluate import bootstrap_interval
from studio.run.meta_test import REPEATS, MetaTest
from studio.store.runs import RunInfo

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "experiments"
SHOTS = (0, 1, 2, 3)
WANTED = {"navigation": {1: -12.0, 2: -4.0}}  # returns, by gradient steps
SEEDS = dict.fromkeys(("navigation", "half_circle", "cheetah_direction", "cheetah_velocity"), (0, 1, 2))


def navigation() -> dict[str, Experiment]:
    """Return MAML on point navigation."""
    return {"MAML": Experiment.load(ASSETS / "maml_point_navigation.yaml")}


def half_circle() -> dict[str, Experiment]:
    """Return MAESN, and MAML without the latent on as many environment steps."""
    maesn = Experiment.load(ASSETS / "maesn_half_circle_sparse.yaml")
    shared = {name: value for name, value in maesn.strategy.params.items() if name not in ("tasks", "prior_weight")}
    size = {name: value for name, value in maesn.policy.params.items() if name != "latent"}
    maml = maesn.changed(
        name="maml_half_circle",
        strategy={"id": "maml", "params": {**shared, "inner_rate": MAML_RATE, "learn_rates": True}},
        policy={"id": "task_mlp", "params": size},
    )
    return {"MAESN": maesn, "MAML": maml}


def cheetah_direction() -> dict[str, Experiment]:
    """Return MAML on the cheetah's direction."""
    return {"MAML": Experiment.load(ASSETS / "maml_cheetah_direction.yaml")}


def cheetah_velocity() -> dict[str, Experiment]:
    """Return MAML on the cheetah's velocity, in MAML's range."""
    return {"MAML": Experiment.load(ASSETS / "maml_cheetah_velocity.yaml")}


FAMILIES: dict[str, Callable[[], dict[str, Experiment]]] = {
    "navigation": navigation, "half_circle": half_circle, "cheetah_direction": cheetah_direction,
    "cheetah_velocity": cheetah_velocity,
}  # fmt: skip
MAML_RATE = 0.3  # on the half circle


def inside(label: str, family: str, runs: Sequence[RunInfo]) -> list[dict[str, Any]]:
    """Return the returns on held-out tasks after each number of steps."""
    rows = []
    for shots in SHOTS:
        scores = [score for run in runs for score in evaluations(run) if score.get("shots") == shots and score["final"]]
        means = [score["mean_return"] for score in scores]
        value, wanted = float(np.mean(means)), WANTED.get(family, {}).get(shots)
        low, high = np.mean([score["low"] for score in scores]), np.mean([score["high"] for score in scores])
        target, met = ("", None) if wanted is None else (f"≥ {wanted:g}", value >= wanted)
        unit = f"return, mean 95% interval of a seed [{low:.2f}, {high:.2f}]"
        rows.append(row(f"{label}, after {shots} steps", value, unit, target, met, means))
    return rows


def outside(label: str, runs: Sequence[RunInfo]) -> list[dict[str, Any]]:
    """Return the returns on tasks outside of the range of training, over the tasks of all seeds."""
    parts: dict[int, list[np.ndarray]] = {shots: [] for shots in SHOTS}
    for run in runs:
        for shots, score in MetaTest(run.folder, shared_registry()).held_out("outside", SHOTS).items():
            parts[shots].append(score.outcome.returns)
    rows = []
    for shots, found in parts.items():
        low, high = bootstrap_interval(np.concatenate(found), shares=False)
        means = [float(each.mean()) for each in found]
        rows.append(
            row(
                f"{label}, outside, after {shots} steps",
                float(np.mean(means)),
                f"return, 95% [{low:.2f}, {high:.2f}]",
                seeds=means,
            )
        )
    return rows


def by_direction(label: str, runs: Sequence[RunInfo]) -> list[dict[str, Any]]:
    """Return the returns before and after a step of each of the cheetah's two tasks."""
    rows = []
    for name, context in (("forward", (1.0,)), ("backward", (-1.0,))):
        last = [list(MetaTest(run.folder, shared_registry()).adapt(context, (0, 1)))[-1] for run in runs]
        for shots in (0, 1):
            means = [float(found.after[shots].score.outcome.returns.mean()) for found in last]
            unit = f"return, {REPEATS} adaptations of each seed"
            rows.append(row(f"{label}, {name}, after {shots} steps", float(np.mean(means)), unit, seeds=means))
    return rows


def seconds(label: str, runs: Sequence[RunInfo]) -> dict[str, Any]:
    """Return how long a training took."""
    times = [run.seconds for run in runs]
    return row(f"{label}, seconds", float(np.mean(times)), "s of a busy machine", seeds=times)


def figures(family: str, seeds: Sequence[int], folder: Path) -> list[dict[str, Any]]:
    """Return a family's rows; run what has not been run."""
    rows = []
    for method, plan in FAMILIES[family]().items():
        runs = run_all([plan.changed(seed=seed, **{"pretraining.seed": seed}) for seed in seeds], folder)
        label = f"{family}, {method}"
        rows += [*inside(label, family, runs), seconds(label, runs)]
        rows += by_direction(label, runs) if family == "cheetah_direction" else outside(label, runs)
        print(*rows, sep="\n", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1]) if sys.argv[1:] else RUNS / "maml_rl"
    chosen = {sys.argv[2]: tuple(map(int, sys.argv[3:])) or SEEDS[sys.argv[2]]} if sys.argv[2:] else SEEDS
    finish([found for family, seeds in chosen.items() for found in figures(family, seeds, place)])
