"""Success of a policy for several robots, trained on three and transferred to the fourth, each in turn.

``reach`` with the goal's coordinates and joint steps as actions: what is transferred is the use of joints, not seeing.
Each source has 100 demonstrations, the target 20. ``unified_action_space`` and ``embodiment_invariant`` train a policy
on all four robots at once, half of a batch from the target, in semantic slots, the first also padded at the end;
``action_space_adapter`` maps the actions of a frozen policy of one source, and its score before the first step is that
of the source policy without a map. Success over 100 episodes; three seeds.

The probe: a linear classifier of the four robots by the trained policy's features, fitted on half of 20 new episodes of
each robot and scored on the other half; chance is 0.25.

``python tests/bench/embodiments.py [FOLDER]`` runs what is not in the folder of runs yet, and prints the figures.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import finish
from _sessions import RUNS, evaluations, run_all, success

from studio.contracts import Batch
from studio.data.batches import BatchSampler, Mixed
from studio.data.datasets import demonstrations
from studio.experiment import Experiment
from studio.nn.domain_alignment import class_probe
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.store.policies import load_policy_folder
from studio.store.runs import RunInfo

ROBOTS = ("franka_7dof", "ur5_6dof", "bimanual_14dof", "mobile_3dof")
TRAININGS = (
    ("unified_action_space", "semantic"),
    ("unified_action_space", "front"),
    ("embodiment_invariant", "semantic"),
)
SEEDS = (0, 1, 2)
UNSEEN = 500  # the seed of the probe's episodes
EXAMPLE = Path(__file__).resolve().parents[2] / "assets" / "experiments" / "fourth_robot.yaml"


def domain(robot: str, episodes: int) -> dict[str, Any]:
    return {"embodiment": robot, "task": "reach", "control": "joint", "observation": "goal", "episodes": episodes}


def plan(target: str, sources: Sequence[str], strategy: str, layout: str, seed: int, **changes: Any) -> Experiment:
    base = Experiment.load(EXAMPLE)
    policy = {"id": base.policy.id, "params": {**base.policy.params, "layout": layout}}
    return base.changed(
        sources=[domain(robot, 100) for robot in sources],
        target=domain(target, 20),
        strategy={"id": strategy},
        policy=policy,
        comparison={},
        name=f"{strategy}-{target}",
        seed=seed,
        **{"pretraining.seed": seed, "evaluation.every": 0, **changes},
    )


def probe_accuracy(info: RunInfo, sources: Sequence[str], target: str) -> float:
    """Return how well a linear probe tells the robots apart by the features of a run's policy."""
    policy = load_policy_folder(info.folder / "policy")
    found = [
        resolve(Experiment.load(EXAMPLE).changed(target=domain(r, 20)).target, shared_registry())
        for r in (target, *sources)
    ]
    data = [Mixed(demonstrations(each, UNSEEN), row, row) for row, each in enumerate(found)]
    sampler = BatchSampler(policy, data, len(data), 0)
    features, labels = [], []
    with torch.no_grad():
        for row, mixed in enumerate(data):
            batch: Batch = sampler.part(row, torch.arange(mixed.episodes.frames))
            features.append(policy.features(batch))
            labels.append(batch.embodiment)
    return class_probe(torch.cat(features), torch.cat(labels))


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return the figures; a group of runs at a time, so that each shows as soon as it is there."""
    results = []

    def add(row: dict[str, Any]) -> None:
        print(row["id"], row["value"], row["unit"], file=sys.stderr, flush=True)
        results.append(row)

    for target in ROBOTS:
        others = [robot for robot in ROBOTS if robot != target]
        scratch = run_all([plan(target, others[:1], "from_scratch", "semantic", seed) for seed in SEEDS], folder)
        add(success(f"{target}: from scratch", scratch))
        for strategy, layout in TRAININGS:
            runs = run_all([plan(target, others, strategy, layout, seed) for seed in SEEDS], folder)
            probes = [probe_accuracy(info, others, target) for info in runs]
            probe = round(float(np.mean(probes)), 3)
            add(success(f"{target}: {strategy}, {layout} slots", runs, probe=probe))
        source = "ur5_6dof" if target == "franka_7dof" else "franka_7dof"
        plans = [
            plan(target, [source], "action_space_adapter", "semantic", seed, **{"evaluation.every": 600})
            for seed in SEEDS
        ]
        runs = run_all(plans, folder)
        unmapped = [next(row["success"] for row in evaluations(info) if row["step"] == 0) for info in runs]
        add(success(f"{target}: action_space_adapter from {source}", runs, unmapped=round(float(np.mean(unmapped)), 4)))
    return results


if __name__ == "__main__":
    torch.set_num_threads(1)
    finish(rows(Path(sys.argv[1]) if sys.argv[1:] else RUNS / "embodiments"))
