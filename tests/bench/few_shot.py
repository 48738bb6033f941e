"""Few-shot adaptation against plain fine-tuning, on the same 1, 5 and 10 demonstrations.

The experiment is ``assets/experiments/few_shot.yaml``: a ball's position is measured by a camera whose calibration is
wrong by an unknown turn and shift. 32 such cameras over a Franka arm are the sources, 60 demonstrations each; the
target is a UR5e with a new camera, another one for every seed. Both methods learn from the same source demonstrations
on as many frames: ``few_shot`` by its meta-training, ``full_finetuning`` by the cloning of all sources at once. Then
both are given the target's demonstrations, the same ones. Fine-tuning is scored after each of ``STEPS`` gradient steps.

``python tests/bench/few_shot.py [FOLDER]`` runs what is not in the folder of runs yet, and prints the figures.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import finish
from _sessions import RUNS, evaluations, run_all, success

from studio.experiment import Experiment
from studio.store.runs import RunInfo

SHOTS = (1, 5, 10)
STEPS = (25, 200)  # of fine-tuning
SEEDS = range(8)  # one demonstration shows little of a camera, so what it gives differs from one to the next
EXAMPLE = Path(__file__).resolve().parents[2] / "assets" / "experiments" / "few_shot.yaml"


def plan(seed: int, **changes: Any) -> Experiment:
    """Return the experiment of a seed, with a target camera of its own.

    Its errors are at least half as large as the family has them: a camera without any asks for no adaptation.
    """
    base = Experiment.load(EXAMPLE)
    rng = np.random.default_rng(1000 + seed)
    context = [round(float(v), 3) for v in WIDTH * rng.choice([-1, 1], 3) * rng.uniform(0.5, 1, 3)]
    return base.changed(**{"target.contexts": [context], "seed": seed, "pretraining.seed": seed, **changes})


WIDTH = np.array([0.6, 0.12, 0.12])  # half of the family's range


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return the figures."""
    results: list[dict[str, Any]] = []

    def add(id: str, runs: Sequence[RunInfo]) -> None:
        results.append(success(id, runs))
        print(results[-1], file=sys.stderr, flush=True)

    few = run_all([plan(seed) for seed in SEEDS], folder)
    for count in SHOTS:
        scores = [next(row["success"] for row in evaluations(run) if row.get("shots") == count) for run in few]
        adapted = [dataclasses.replace(run, success=score) for run, score in zip(few, scores, strict=True)]
        add(f"few_shot, {count} episodes", adapted)
    for count in SHOTS:
        for steps in STEPS:
            changes = {
                "strategy": {"id": "full_finetuning"},
                "target.episodes": count,
                "evaluation.shots": [0],
                "budget": {"iterations": steps, "batch_size": 64, "checkpoint_every": steps},
            }
            runs = run_all([plan(seed, **changes) for seed in SEEDS], folder)
            add(f"full_finetuning, {count} episodes, {steps} steps", runs)
    return results


if __name__ == "__main__":
    torch.set_num_threads(1)
    finish(rows(Path(sys.argv[1]) if sys.argv[1:] else RUNS / "few_shot"))
