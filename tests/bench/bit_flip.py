"""Success of bit flipping with hindsight and without, for 15 bits and for 30.

Double DQN, one hidden layer of 256 as in the paper (Andrychowicz et al. 2017, arXiv:1707.01495), γ 0.98, an update of
128 transitions for every four steps; hindsight "future" with k = 4. All kinds of runs have the same settings. A run
``dreamt`` sets itself visited states as goals, and sees neither the task's goals nor its rewards until it is scored.

A run is scored on the way on CHECKS, which gives the steps to 95%, and at its end on 500 other episodes. Words after
the script's name choose runs (``with_15-3``), a part of the work: each stops after PIECE seconds of CPU and is gone on
with the next time, from its whole state. ``--finished`` tells of the runs that are finished, and makes none.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from _report import finish, row
from _training import RUNS, kept

from studio.analysis import transfer_metrics as measures
from studio.rl.algorithms.dqn import DQN, DQNParams
from studio.rl.hindsight import HindsightParams
from studio.rl.networks.observations import flatten
from studio.rl.networks.q_policy import QPolicy
from studio.sim.gymnasium_ids import make_vector
from studio.sim.rollout import policy_actions, run_episodes
from studio.store.checkpoint import save_checkpoint
from studio.store.restore import latest_state

EVERY = 5  # iterations, of 1000 steps each
CHECKS, FINAL = range(8_000_000, 8_000_100), range(9_000_000, 9_000_500)  # seeds that no training meets
SOLVED, PIECE = 0.95, 80.0


@dataclass(frozen=True)
class Kind:
    title: str
    bits: int
    her: Literal["none", "future"]
    goals: Literal["task", "self_generated"]
    thousands: int  # of steps
    seeds: int


KINDS = {
    "with_15": Kind("15 bits with hindsight", 15, "future", "task", 25, 5),
    "dreamt_15": Kind("15 bits, self-generated goals, with hindsight", 15, "future", "self_generated", 25, 3),
    "with_30": Kind("30 bits with hindsight", 30, "future", "task", 100, 3),
    "without_15": Kind("15 bits without hindsight", 15, "none", "task", 150, 3),
}


def train(name: str, seed: int, limit: float = math.inf) -> dict[str, Any]:
    """Success on the way and at the end, in shares of the episodes. Raises TimeoutError after ``limit`` s of CPU."""
    kind, began, folder = KINDS[name], time.process_time(), RUNS / "bit_flip" / f"{name}-{seed}"
    settings = DQNParams(simulations=32, physics_threads=1)
    world = make_vector(settings.simulations, "bit_flip", f"bits_{kind.bits}", threads=1)
    world.reset(seed=0)
    judge = make_vector(len(FINAL), "bit_flip", f"bits_{kind.bits}", threads=1)
    policy = QPolicy(QPolicy.Params(layers=1), "goal")
    policy.fit(flatten(world.observe([0])).shape[1], world.control.low, world.control.high, seed)
    learner = DQN(
        policy,
        world,
        settings,
        iterations=kind.thousands,
        seed=seed,
        bounds=(-1 / (1 - settings.gamma), 0.0),
        hindsight=HindsightParams(her=kind.her, goals=kind.goals),
    )
    curve: list[float] = []
    if (found := latest_state(folder, "adapt")) is not None:
        learner.load_state_dict(found[1]["learner"])
        curve = found[1]["curve"]
    for metrics in learner.iterate():
        if metrics.step % EVERY == 0:
            curve.append(float(run_episodes(judge, policy_actions(policy), CHECKS).successes.mean()))
        if time.process_time() - began > limit and metrics.step < kind.thousands:
            save_checkpoint(folder, "adapt", metrics.step, {"learner": learner.state_dict(), "curve": curve})
            raise TimeoutError(f"{name}-{seed}: to be gone on with at {metrics.step} k steps, so far {curve}")
    final = float(run_episodes(judge, policy_actions(policy), FINAL).successes.mean())
    shutil.rmtree(folder, ignore_errors=True)
    return {"curve": curve, "final": final, "steps": learner.samples}


def runs(name: str, make: bool) -> list[dict[str, Any]]:
    """All of a kind, or those that are finished."""
    names = [(f"{name}-{seed}", seed) for seed in range(KINDS[name].seeds)]
    if not make:
        names = [(run, seed) for run, seed in names if (RUNS / "bit_flip" / f"{run}.json").exists()]
    return [kept("bit_flip", run, lambda s=seed: train(name, s)) for run, seed in names]


def rows(make: bool = True) -> list[dict[str, Any]]:
    """Success at the end, the worst seed's, and how long it took."""
    results = []
    for name, kind in KINDS.items():
        found = runs(name, make)
        if not found:
            continue
        final = 100 * np.array([run["final"] for run in found])
        mean, low, high = measures.interval(np.mean, final)
        seeds = f"{len(found)} of {kind.seeds} seeds after {kind.thousands} k steps"
        unit = f"% success [{low:.1f}, {high:.1f}], mean of {seeds}"
        target, met = {
            "with_15": ("≥ 95", bool(final.min() >= 95)),
            "with_30": ("≥ 90", bool(final.min() >= 90)),
            "without_15": ("fails: < 50", bool(final.max() < 50)),
        }.get(name, ("", None))
        results.append(row(kind.title, float(mean), unit, target, met))
        results.append(row(f"{kind.title}: worst seed", float(final.min()), "% success"))
        curves = np.array([run["curve"] for run in found])
        steps = 1000 * EVERY * np.arange(1, curves.shape[1] + 1)
        reached = measures.time_to(SOLVED, steps, curves)
        if np.isfinite(reached).all():
            target, met = ("≤ 150000", bool(reached.max() <= 150_000)) if name == "with_15" else ("", None)
            unit = f"steps to 95% on the way, mean; at most {reached.max():.0f}"
            results.append(row(f"{kind.title}: time to 95%", float(reached.mean()), unit, target, met))
    return results


def main() -> None:
    torch.set_num_threads(1)
    words = [word for word in sys.argv[1:] if word != "--finished"]
    for word in words:
        name, _, seed = word.partition("-")
        try:
            kept("bit_flip", word, lambda n=name, s=int(seed): train(n, s, PIECE))
        except TimeoutError as piece:
            print(piece, file=sys.stderr)
    if not words:
        finish(rows(make="--finished" not in sys.argv))


if __name__ == "__main__":
    main()
