"""PEARL on the sparse half circle, and on the cheetah's direction and velocity at equal environment steps.

The experiments are ``assets/experiments/pearl_*.yaml``. A score is the mean return of the third episode of held-out
tasks, after two episodes of exploration (direction has two tasks, which training plays too). Environment steps are
those of all simulations, exploration included. The published curve is a public reproduction's, of one seed; ours are
scored by their checkpoints on the same episodes, in which each direction is asked for equally often.
Beside the half circle's figures are those of who knows the exact posterior, and holds a sample of it for an episode as
posterior sampling does, or replaces it as soon as it is excluded.

``python tests/bench/pearl.py FOLDER FAMILY SEED …`` runs what is not in the folder of runs yet, without more.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import finish, row, seed_interval
from _sessions import RUNS, run_all

from studio.experiment import Experiment
from studio.meta.half_circle_posterior import HalfCirclePosterior, returns_of_sampling
from studio.meta.task_split import held_out
from studio.meta.trials import run_trials
from studio.registry import shared_registry
from studio.rng import EpisodeRng
from studio.run.evaluate import Evaluation
from studio.run.evaluate_run import evaluate_run
from studio.run.score_target import score_target
from studio.sim.domains import resolve
from studio.sim.observers import Observer
from studio.sim.world import World
from studio.store.checkpoint import list_checkpoints, load_policy
from studio.store.runs import RunInfo

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "experiments"
ORACLE = 13.37  # mean return of who knows the goal
TRIALS = 200  # whose search is measured
SHARE = 0.8  # of it, that is asked for
# family: seeds that are run, environment steps of an iteration, and the published curve by environment steps
SEEDS = {"half_circle": (0, 1, 2, 3, 4), "cheetah_direction": (0, 1, 2), "cheetah_velocity": (0, 1, 2)}
STEPS = {"cheetah_direction": 2400, "cheetah_velocity": 4000}
CURVES = {
    "cheetah_direction": {100_000: 450.0, 200_000: 666.0, 500_000: 1063.0},
    "cheetah_velocity": {200_000: -202.0, 500_000: -45.0},
}
OUTSIDE = ("half_circle", "cheetah_velocity")  # families with tasks outside of the training range


def plans(family: str, seeds: Sequence[int]) -> list[Experiment]:
    """Return the experiments of a family's seeds."""
    base = Experiment.load(ASSETS / f"pearl_{family}.yaml")
    return [base.changed(seed=seed) for seed in seeds]


def interval(low: float, high: float) -> str:
    """Return an interval in words."""
    return f"return, 95% [{low:.2f}, {high:.2f}]"


def half_circle(runs: Sequence[RunInfo]) -> list[dict[str, Any]]:
    """Return the returns of each episode over seeds, those of the exact posterior, and what each leaves possible."""
    rows, scores = [], [trial_scores(run) for run in runs]
    for shots in range(3):
        found = np.stack([each[shots].outcome.returns for each in scores])
        words, value = interval(*seed_interval(found)), float(found.mean())
        target, met = (f"≥ {SHARE * ORACLE:.2f}", value >= SHARE * ORACLE) if shots == 2 else ("", None)
        rows.append(row(f"half_circle, episode {shots + 1}", value, words, target, met, found.mean(1)))
    left = [possible_share(run) for run in runs]
    words = "share of the half circle that is possible after two episodes without a reward"
    rows.append(row("half_circle, left to search", float(np.mean(left)), words, seeds=left))
    goals = np.tile(np.pi * np.arange(2, 100, 5) / 99, 100)
    for again, name in ((False, "held for an episode"), (True, "replaced when excluded")):
        found = returns_of_sampling(goals, 3, EpisodeRng(np.arange(len(goals))), again)
        for episode, each in enumerate(found.T, 1):
            error = 1.96 * each.std() / np.sqrt(len(each))
            label = f"half_circle, exact posterior, sample {name}, episode {episode}"
            rows.append(row(label, float(each.mean()), interval(each.mean() - error, each.mean() + error)))
    return rows


def trial_scores(run: RunInfo, step: int | None = None) -> list[Evaluation]:
    """Return a run's scores of the first, second and third episode of held-out tasks; by a checkpoint's policy if its
    step is given."""
    plan = Experiment.load(run.folder / "experiment.yaml")
    evaluation, target = plan.evaluation, resolve(plan.target, shared_registry())
    policy = load_policy(run.folder, step)
    return score_target(policy, target, evaluation, evaluation.episodes, evaluation.seed)


class _Belief(Observer):
    """Keeps which goals are possible by the rewards so far."""

    def __init__(self, trials: int) -> None:
        self.posterior, self.rewarded = HalfCirclePosterior(rows=trials), np.zeros(trials, bool)

    def on_step(self, world: World, ids: np.ndarray, reward: np.ndarray) -> None:
        assert len(ids) == len(self.rewarded)  # all episodes have the same length
        self.posterior.update(world.observe(ids)["state"][:, :2], reward)
        self.rewarded |= reward > 0


def possible_share(run: RunInfo) -> float:
    """Return the share of the half circle that the rewards do not exclude after two episodes without one."""
    plan = Experiment.load(run.folder / "experiment.yaml")
    domain = held_out(resolve(plan.target, shared_registry()), "inside", plan.evaluation.seed)
    policy, belief = load_policy(run.folder), _Belief(TRIALS)
    seeds = range(plan.evaluation.seed, plan.evaluation.seed + TRIALS)
    run_trials(policy.exploring(0), domain, 2, seeds, observers=[belief])
    return float(belief.posterior.possible[~belief.rewarded].mean())


def curve(family: str, runs: Sequence[RunInfo]) -> list[dict[str, Any]]:
    """Return the returns by the last checkpoints that had no more environment steps than the published scores."""
    rows = []
    for steps, published in CURVES[family].items():
        step = max(step for _, step, _ in list_checkpoints(runs[0].folder) if step * STEPS[family] <= steps)
        returns = np.stack([trial_scores(run, step)[2].outcome.returns for run in runs])
        label = f"{family}, {steps // 1000} k environment steps (scored at {step * STEPS[family]})"
        words, value = interval(*seed_interval(returns)), float(returns.mean())
        rows.append(row(label, value, words, f"≥ {published:g}", value >= published, returns.mean(1)))
    return rows


def outside(family: str, runs: Sequence[RunInfo]) -> list[dict[str, Any]]:
    """Return the returns of the third episode on tasks inside of the training range and outside of it."""
    rows = []
    for where in ("inside", "outside"):
        found = []
        for run in runs:
            plan = Experiment.load(run.folder / "experiment.yaml").changed(**{"evaluation.held_out": where})
            found.append(evaluate_run(run.folder, plan, shared_registry()))
        returns = np.stack([score.outcome.returns for score in found])
        words = interval(*seed_interval(returns))
        rows.append(row(f"{family}, {where} the training range", float(returns.mean()), words, seeds=returns.mean(1)))
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1]) if sys.argv[1:] else RUNS / "pearl"
    chosen = {sys.argv[2]: tuple(map(int, sys.argv[3:])) or SEEDS[sys.argv[2]]} if sys.argv[2:] else SEEDS
    results = []
    for family, seeds in chosen.items():
        done = run_all(plans(family, seeds), folder)
        results += half_circle(done) if family == "half_circle" else curve(family, done)
        results += outside(family, done) if family in OUTSIDE else []
    finish(results)
