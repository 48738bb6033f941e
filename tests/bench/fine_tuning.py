"""Returns of a cheetah that runs forward and learns to run backward, against one that starts from scratch.

The source: 600 k steps of running forward. The target: 200 k steps of running backward, from scratch, and from the
source's policy with each way to regain exploration ("lack of exploration" in the second seed document). Every training
is scored by 10 episodes of its deterministic policy, before its first step and after every 14 iterations.

Returns are normalized for the area ratio: 0 is the worst mean score of any curve, 1 the best. The threshold is a
quarter of the interquartile mean that training from scratch ends with: a pilot with another seed had shown that carried
policies stay far below its end. Intervals are 95%, from resampling five seeds; each seed has a source policy of its
own. Trainings that lie under ``runs/bench/fine_tuning`` are taken as they are; words after the script's name choose
among them (``scratch 0``).
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from _report import finish, row
from _training import RUNS, SAMPLES, TASKS, blank, kept, score, train

from plugins.tasks.half_cheetah import HalfCheetah
from studio.analysis import transfer_metrics as measures
from studio.contracts import Ids
from studio.experiment import Domain
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.warm_start import WarmStartParams, warm_start
from studio.store.policies import load_policy_folder, save_policy

BENCH = "fine_tuning"
SEEDS = range(5)


class Backward(HalfCheetah):
    """The reward is for the speed backward."""

    id = "half_cheetah_backward"

    def speed(self, ids: Ids) -> np.ndarray:
        return -super().speed(ids)


TASKS[Backward.id] = Backward
BODY = {"embodiment": "half_cheetah", "control": "motor", "observation": "state"}
FORWARD, BACKWARD = (Domain.model_validate({**BODY, "task": kind.id}) for kind in (HalfCheetah, Backward))
MINUTES = 8.5  # that a part of the work takes at most, but for the last training started
SOURCE_ITERATIONS, ITERATIONS, EVERY = 293, 98, 14
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {"exploration": "none"},
    "fresh_log_std": {"exploration": "fresh_log_std"},
    "temperature": {"exploration": "temperature"},
    "entropy": {"exploration": "entropy"},
    "fresh_log_std_new_heads": {"exploration": "fresh_log_std", "reset": "critic_and_last_layer"},
}
KINDS = ("scratch", *OPTIONS)


def source_policy(seed: int) -> GaussianActorCritic:
    """Trained forward, made or found."""
    folder = RUNS / BENCH / f"source-{seed}"
    if not (folder / "config.json").exists():
        policy = blank(FORWARD, seed)
        train(policy, FORWARD, SOURCE_ITERATIONS, seed, SOURCE_ITERATIONS, lambda p: None)
        folder.parent.mkdir(parents=True, exist_ok=True)
        save_policy(policy, folder)
        print(f"source {seed}: forward {score(policy, FORWARD):.0f}", file=sys.stderr, flush=True)
    return load_policy_folder(folder)


def trained(kind: str, seed: int) -> dict[str, Any]:
    """The curve on the target."""

    def make() -> dict[str, Any]:
        policy = blank(BACKWARD, seed)
        settings: dict[str, Any] = {}
        if kind != "scratch":
            params = WarmStartParams(**OPTIONS[kind])
            fresh, policy = policy, source_policy(seed)
            warm_start(policy, fresh, params)
            settings = {"entropy_weight": params.entropy_bonus} if params.exploration == "entropy" else {}
        return {"curve": train(policy, BACKWARD, ITERATIONS, seed, EVERY, lambda p: score(p, BACKWARD), **settings)}

    found: dict[str, Any] = kept(BENCH, f"{kind}-{ITERATIONS}-{seed}", make)
    return found


def rows() -> list[dict[str, Any]]:
    """The table: one line for each kind and measure."""
    points = [*range(0, ITERATIONS, EVERY), ITERATIONS]
    steps = SAMPLES * np.array(points)
    runs = {kind: [trained(kind, seed) for seed in SEEDS] for kind in KINDS}
    curves = {kind: np.array([run["curve"] for run in found]) for kind, found in runs.items()}
    means = np.array([curve.mean(0) for curve in curves.values()])
    low, high = float(means.min()), float(means.max())
    scratch = curves["scratch"]
    threshold = 0.25 * measures.iqm(measures.asymptote(scratch))
    results = []
    for kind, curve in curves.items():
        found = measures.compared(steps, curve, scratch, low, high, threshold)
        for name, unit in (
            ("jumpstart", "return"), ("asymptote", "return"), ("time_to_threshold", "steps"), ("area_ratio", ""),
            ("negative_transfer", "probability"),
        ):  # fmt: skip
            if kind == "scratch" and name not in ("asymptote", "time_to_threshold"):
                continue
            value, least, most = found[name]
            scale = f"{unit} [{least:.3g}, {most:.3g}]" if name != "time_to_threshold" else (
                f"steps to a return of {threshold:.0f} [{least:.0f}, {most:.0f}], {found['reached']} of {len(SEEDS)} "
                "reach it"
            )  # fmt: skip
            results.append(row(f"{kind.replace('_', ' ')}: {name.replace('_', ' ')}", value, scale.strip()))
    return results


def main() -> None:
    torch.set_num_threads(1)
    words = sys.argv[1:]
    if not words:
        finish(rows())
        return
    kinds = [kind for kind in KINDS if kind in words] or KINDS
    started = time.monotonic()
    for seed in [seed for seed in SEEDS if str(seed) in words] or SEEDS:  # a part of the work
        for kind in kinds:
            if time.monotonic() - started < 60 * MINUTES:
                trained(kind, seed)


if __name__ == "__main__":
    main()
