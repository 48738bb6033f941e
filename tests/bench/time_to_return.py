"""Wall time to the return that Stable-Baselines3's PPO has on HalfCheetah after 300 k steps, ours against theirs.

Both as in ``returns.py``: 2,048 samples an iteration, 10 × 8 minibatches of 256, 64×64 networks, seed by seed. Theirs
is trained 300 k steps and scored by 20 episodes of its deterministic policy. Ours is scored in the same way after every
5 iterations, its clock stopped meanwhile, until two scores in a row reach theirs; the first of the two counts. What its
update takes to be compiled (from the cache) is in its time. Seeds that are finished lie under
``runs/bench/time_to_return`` and are taken as they are; nothing else may run on the machine.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from _report import finish, row
from _training import kept
from returns import SEEDS, our_learner, score, theirs_ppo

from studio.rl.algorithms.ppo_params import PPOParams

TASK, STEPS, EVERY = "half_cheetah", 300_000, 5  # EVERY: iterations between two scores
MOST = 2_000_000  # steps of ours, after which it is said not to reach it
SAMPLES = PPOParams().simulations * PPOParams().steps


def theirs(seed: int) -> tuple[float, float]:
    """Seconds, and the return after them."""
    began = time.perf_counter()
    policy = theirs_ppo(TASK, seed, STEPS)
    return time.perf_counter() - began, score(policy, TASK)


def ours(seed: int, wanted: float) -> tuple[float, int]:
    """Seconds and steps to that return; infinite where it does not reach it."""
    began = time.perf_counter()
    learner = our_learner(TASK, seed, MOST)
    paused, reached = 0.0, None
    for metrics in learner.iterate():
        if metrics.step % EVERY:
            continue
        now = time.perf_counter()
        if score(learner.policy, TASK) < wanted:
            reached = None
        elif reached is None:
            reached = now - began - paused, metrics.step * SAMPLES
        else:
            break
        paused += time.perf_counter() - now
    else:
        reached = None
    learner.rollouts.world.close()
    return reached or (float("inf"), MOST)


def measured(seed: int) -> list[float]:
    """Their seconds and return, our seconds and steps."""
    seconds, wanted = theirs(seed)
    return [seconds, wanted, *ours(seed, wanted)]


def main() -> None:
    torch.set_num_threads(1)
    for _ in our_learner(TASK, 0, 3 * SAMPLES).iterate():
        pass  # the update is in the cache now
    found = np.array([kept("time_to_return", f"{TASK}-{STEPS}-{seed}", lambda s=seed: measured(s)) for seed in SEEDS])
    times = found[:, 0] / found[:, 2]
    spread = f"[{times.min():.1f}, {times.max():.1f}], {len(times)} seeds"
    value = float(np.median(times))
    finish([
        row("Stable-Baselines3's PPO, 300 k steps of HalfCheetah", float(np.median(found[:, 0])), "s"),
        row("its return", float(np.median(found[:, 1])), f"[{found[:, 1].min():.0f}, {found[:, 1].max():.0f}]"),
        row("Ours to that return", float(np.median(found[:, 2])), f"s, {np.median(found[:, 3]):.0f} steps"),
        row("Ours to that return, times shorter", value, spread, ">= 4", value >= 4),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
