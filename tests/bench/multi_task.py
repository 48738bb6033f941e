"""Returns of one cheetah that learns to run at three velocities, against three that learn one each.

Together: one policy π(a|s,ω) that observes the velocity, 393 k steps over all three. Alone: a policy for each velocity,
131 k steps each, so that both have the same samples, in all and of each task. Hidden: as together, but not observing
the velocity: what the context gains. A task: the reward −|v − v*| − 0.05‖a‖² of the literature, in episodes of 200
steps. Scores are mean returns of 10 episodes of the deterministic policy at each velocity; held-out velocities lie
between those of the training, and beyond them.

Standing still has a return of −200 v*. The threshold is 0.8 of that, which the first seed had shown to be within the
reach of so small a budget. Intervals are 95%, from resampling five seeds. Trainings that lie under
``runs/bench/multi_task`` are taken as they are; a number after the script's name makes a part of them, from that seed
on for some minutes.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from _report import finish, row
from _training import SAMPLES, blank, kept, score, train

from plugins.tasks.half_cheetah_families import HalfCheetahVelocity
from studio.analysis import transfer_metrics as measures
from studio.experiment import Domain
from studio.rl.networks.gaussian import GaussianActorCritic

BENCH = "multi_task"
SEEDS = range(5)
TRAINED, INSIDE, OUTSIDE = (1.0, 2.0, 3.0), (1.5, 2.5), (0.5, 3.5)
ITERATIONS, EVERY = 64, 8  # of each task
MINUTES = 8.5  # that a part of the work takes at most, but for the last training started
SHARE = 0.8  # of what standing still has


def domain(*velocities: float, observed: bool = True) -> Domain:
    """Episodes at some velocities."""
    seen = "goal" if observed else "state"
    body = {"embodiment": "half_cheetah", "task": HalfCheetahVelocity.id, "control": "motor", "observation": seen}
    return Domain.model_validate({**body, "contexts": [[velocity] for velocity in velocities]})


def scores(policy: GaussianActorCritic, velocities: tuple[float, ...]) -> list[float]:
    """Mean return at each velocity."""
    return [score(policy, domain(velocity)) for velocity in velocities]


def together(seed: int, observed: bool) -> dict[str, Any]:
    """Curves of all trained velocities, and scores of the held-out ones at the end."""

    def make() -> dict[str, Any]:
        where = domain(*TRAINED, observed=observed)
        policy = blank(where, seed)
        if not observed:
            policy.params = policy.params.model_copy(update={"ignored": ["goal"]})
        tasks = len(TRAINED)
        curves = train(policy, where, tasks * ITERATIONS, seed, tasks * EVERY, lambda p: scores(p, TRAINED))
        return {"curves": curves, "inside": scores(policy, INSIDE), "outside": scores(policy, OUTSIDE)}

    found: dict[str, Any] = kept(BENCH, f"{'together' if observed else 'hidden'}-{seed}", make)
    return found


def alone(seed: int) -> list[list[float]]:
    """The curve of each velocity by a policy of its own, as (points, velocities)."""
    curves = []
    for velocity in TRAINED:

        def make(velocity: float = velocity) -> list[float]:
            where = domain(velocity)
            return train(blank(where, seed), where, ITERATIONS, seed, EVERY, lambda p: score(p, where))

        curves.append(kept(BENCH, f"alone-{velocity}-{seed}", make))
    return np.array(curves).T.tolist()


def rows() -> list[dict[str, Any]]:
    """The table: learning at each trained velocity, then scores at all of them."""
    steps = SAMPLES * np.arange(0, ITERATIONS + 1, EVERY)  # of each task
    joint = {observed: [together(seed, observed) for seed in SEEDS] for observed in (True, False)}
    curves = {
        "together": np.array([run["curves"] for run in joint[True]]),
        "hidden": np.array([run["curves"] for run in joint[False]]),
        "alone": np.array([alone(seed) for seed in SEEDS]),
    }  # (seeds, points, velocities)
    results = []
    for i, velocity in enumerate(TRAINED):
        mine = {kind: curve[:, :, i] for kind, curve in curves.items()}
        threshold = -SHARE * HalfCheetahVelocity.horizon * velocity
        for kind, curve in mine.items():
            reached = measures.time_to(threshold, steps, curve)
            value, least, most = measures.interval(measures.iqm, np.minimum(reached, steps[-1]))
            unit = f"of its own steps to a return of {threshold:.0f} [{least:.0f}, {most:.0f}], "
            count = f"{np.isfinite(reached).sum()} of {len(SEEDS)} reach it"
            results.append(row(f"velocity {velocity:g}, {kind}: time to threshold", value, unit + count))
    for kind, runs in (("together", joint[True]), ("hidden", joint[False])):
        for place, velocities in (("trained", TRAINED), ("inside", INSIDE), ("outside", OUTSIDE)):
            found = np.array([run["curves"][-1] if place == "trained" else run[place] for run in runs])
            for i, velocity in enumerate(velocities):
                value, least, most = measures.interval(measures.iqm, found[:, i])
                held = "trained" if place == "trained" else f"held out, {place} the range"
                results.append(
                    row(f"velocity {velocity:g} ({held}), {kind}", value, f"return [{least:.0f}, {most:.0f}]")
                )
    ends = curves["alone"][:, -1]
    for i, velocity in enumerate(TRAINED):
        value, least, most = measures.interval(measures.iqm, ends[:, i])
        results.append(row(f"velocity {velocity:g} (trained), alone", value, f"return [{least:.0f}, {most:.0f}]"))
    return results


def main() -> None:
    torch.set_num_threads(1)
    if not sys.argv[1:]:
        finish(rows())
        return
    started = time.monotonic()
    for seed in SEEDS[int(sys.argv[1]) :]:
        for part in (partial(together, observed=True), partial(together, observed=False), alone):
            if time.monotonic() - started < 60 * MINUTES:
                part(seed)


if __name__ == "__main__":
    main()
