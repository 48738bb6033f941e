"""RL² on the half circle, in mazes and on the cheetah: returns by the episode of a trial, inside and outside.

The experiments are those of ``assets/experiments``: ``rl2_half_circle`` (PEARL's protocol, dense reward in training,
20 test goals, oracle 13.37) over three seeds; ``rl2_maze``, ``rl2_cheetah_direction`` and ``rl2_cheetah_velocity``
(PEARL's range, [0, 3] m/s) with one seed each, a million steps. Every trial is of a fresh task: a test goal, a maze
or a velocity that training never drew, or one outside of the family; the policy acts deterministically. Intervals are
95%, from resampling seeds and trials.

``python tests/bench/rl2.py [FOLDER [NAME…]]`` runs what is not in the folder of runs yet, of some experiments alone if
they are named, and prints the figures.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import finish, row
from _sessions import RUNS, run_all

from plugins.tasks.maze import START, distances, mazes, open_moves
from studio.contracts import ResolvedDomain
from studio.experiment import Experiment
from studio.meta.task_split import held_out
from studio.meta.trials import run_trials
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.sim.rollout import Outcome
from studio.store.checkpoint import load_policy
from studio.store.runs import RunInfo

EXPERIMENTS = Path(__file__).resolve().parents[2] / "assets" / "experiments"
SEEDS = {"half_circle": (0, 1, 2), "maze": (0,), "cheetah_direction": (0,), "cheetah_velocity": (0,)}
TRIALS = {"half_circle": 400, "maze": 1000, "cheetah_direction": 40, "cheetah_velocity": 100}
FIRST_SEED = 30_000_000  # of the trials; no training meets these seeds


def plan(name: str, seed: int) -> Experiment:
    """Return the shipped experiment with a seed."""
    return Experiment.load(EXPERIMENTS / f"rl2_{name}.yaml").changed(seed=seed)


def played(name: str, run: RunInfo, domain: ResolvedDomain) -> list[Outcome]:
    """Return what became of the trials' first episodes, of their second, and so on."""
    policy: Any = load_policy(run.folder, registry=shared_registry())
    k = plan(name, 0).strategy.params["trial"]
    return run_trials(policy.act, domain, k, range(FIRST_SEED, FIRST_SEED + TRIALS[name]))[0]


def figure(id: str, values: Sequence[np.ndarray], unit: str, target: str = "", bound: float | None = None) -> Any:
    """Return a row of trials' values, one array for each seed; ``bound``: the least mean that meets the target."""
    rng, means = np.random.default_rng(0), []
    for _ in range(2000):
        seeds = rng.integers(len(values), size=len(values))
        means.append(np.mean([rng.choice(values[seed], len(values[seed])).mean() for seed in seeds]))
    low, high = np.quantile(means, [0.025, 0.975])
    each = [round(float(found.mean()), 3) for found in values]
    mean = round(float(np.mean(each)), 3)
    met = None if bound is None else mean >= bound
    return row(id, mean, f"{unit}, 95% [{low:.3g}, {high:.3g}]", target, met, each)


def rows(name: str, folder: Path) -> Iterator[Any]:
    """Yield the figures of an experiment."""
    runs = run_all([plan(name, seed) for seed in SEEDS[name]], folder)
    target = resolve(plan(name, 0).target, shared_registry())
    if name == "cheetah_direction":
        places = {way: target.changed(target.domain.changed(contexts=[[sign]])) for way, sign in WAYS.items()}
    else:
        split = ("inside",) if name == "maze" else ("inside", "outside")
        places = {which: held_out(target, which, FIRST_SEED) for which in split}
    for which, domain in places.items():
        trials = [played(name, run, domain) for run in runs]
        for i, outcomes in enumerate(zip(*trials, strict=True), 1):
            kind = f"{name}, {which}, episode {i}"
            yield figure(kind, [o.returns for o in outcomes], "return")
            if name == "maze":
                yield figure(f"{kind}: length", [o.lengths for o in outcomes], "steps")
        if name == "maze":
            gained = [first.lengths - second.lengths for first, second in trials]
            yield figure("maze: steps saved in the second episode", gained, "steps", "> 0", 0.0)
            walls, goals = mazes(trials[0][0].randomization["context:number"])
            shortest = distances(open_moves(walls), goals)[:, START]
            yield figure("maze: shortest path", [shortest], "steps")


WAYS = {"forward": 1.0, "backward": -1.0}


def main(folder: Path, names: Sequence[str]) -> None:
    """Print the rows, each as soon as it is known, then all of them."""
    found = []
    for name in names:
        for each in rows(name, folder):
            print(each, file=sys.stderr, flush=True)
            found.append(each)
    finish(found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]) if sys.argv[1:] else RUNS / "rl2", sys.argv[2:] or [*SEEDS])
