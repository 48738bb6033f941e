"""Visual randomization against training without it, on a target whose look no training image has.

``assets/experiments/visual_randomization.yaml`` with 200 demonstrations of the source and 1,000 gradient steps: with
all of the strategy's variations, with neither them nor augmentation, and with augmentation of the images alone. Success
over 200 episodes.

``python tests/bench/visual_randomization.py [FOLDER]`` runs what is not in the folder of runs yet, and prints the rows.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import finish
from _sessions import RUNS, run_all, success

from studio.experiment import Experiment

SEEDS = (0, 1, 2)
EXAMPLE = Path(__file__).resolve().parents[2] / "assets" / "experiments" / "visual_randomization.yaml"
TRAININGS: dict[str, dict[str, Any]] = {
    "visual randomization": {},
    "without randomization": {"strength": 0.0, "augment_images": False},
    "augmented images alone": {"strength": 0.0},
}
SMALL = {"budget.iterations": 1000, "budget.checkpoint_every": 1000, "source.episodes": 200}


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return the figures."""
    base, results = Experiment.load(EXAMPLE).changed(**SMALL), []
    for name, params in TRAININGS.items():
        chosen = {"id": "visual_randomization", "params": params}
        runs = run_all([base.changed(strategy=chosen, seed=s, **{"pretraining.seed": s}) for s in SEEDS], folder)
        source = round(float(np.mean([run.source_success for run in runs])), 4)
        results.append(success(name, runs, source_success=source))
        print(results[-1], file=sys.stderr, flush=True)
    return results


if __name__ == "__main__":
    torch.set_num_threads(1)
    finish(rows(Path(sys.argv[1]) if sys.argv[1:] else RUNS / "visual_randomization"))
