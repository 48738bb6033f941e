"""Real to sim to real, the robot far from nominal: nominal simulation, randomized, identified, real episodes after.

Five seeds; every policy is scored on the same 200 episodes of the stand-in robot. Intervals are 95%, from a bootstrap
over seeds and within each over episodes. Besides success the steps that an episode takes (a failure counts the whole
horizon): where every policy succeeds, time still tells them apart.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _report import finish, row

SEEDS = range(5)
TASKS = ("push",)
VARIANTS: dict[str, dict[str, Any]] = {
    "nominal simulation": {"simulation": "nominal", "real_episodes": 0},
    "randomized": {"simulation": "randomized", "real_episodes": 0},
    "identified and randomized": {"simulation": "identified", "real_episodes": 0},
    "identified, and 10 real episodes": {"simulation": "identified", "real_episodes": 10},
}


def plan_of(task: str, variant: dict[str, Any], seed: int) -> Any:
    from studio import paths
    from studio.experiment import Experiment

    plan = Experiment.load(paths.assets() / "experiments" / "real_to_sim_to_real.yaml")
    changes: dict[str, Any] = {f"strategy.params.{name}": value for name, value in variant.items()}
    return plan.changed(seed=seed, **{"source.task": task, "target.task": task, **changes})


def outcome(plan: Any, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(successes, steps) of the final evaluation's episodes."""
    from studio.events import EpisodesEnded
    from studio.registry import Registry
    from studio.run.channels import Channels
    from studio.run.session import Session

    channels = Channels()
    heard = channels.events.subscribe()
    Session(plan, Registry(), channels, folder).run()
    (last,) = [e for e in heard.drain() if isinstance(e, EpisodesEnded) and e.domain == "target"][-1:]
    return np.asarray(last.successes, float), np.asarray(last.lengths, float)


def interval(values: list[np.ndarray], resamples: int = 4000) -> tuple[float, float, float]:
    """Mean over seeds, and the 95% interval of a bootstrap over seeds and over each seed's episodes."""
    rng = np.random.default_rng(0)
    grid = np.stack(values)
    seeds, episodes = grid.shape
    means = np.empty(resamples)
    for i in range(resamples):
        chosen = grid[rng.integers(0, seeds, seeds)]
        means[i] = np.take_along_axis(chosen, rng.integers(0, episodes, (seeds, episodes)), 1).mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(grid.mean()), float(low), float(high)


def expert(task: str) -> float:
    """What the scripted expert itself reaches on the stand-in."""
    from studio.registry import Registry
    from studio.run.evaluate import evaluate
    from studio.sim.domains import resolve

    return evaluate("expert", resolve(plan_of(task, {}, 0).target, Registry()), 200, 10_000).score


def main(tasks: list[str]) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for task in tasks:
            rows.append(row(f"{task}: the expert on the robot", expert(task), "success"))
            before: float | None = None
            for name, variant in VARIANTS.items():
                found = [outcome(plan_of(task, variant, seed), Path(place)) for seed in SEEDS]
                success, low, high = interval([f[0] for f in found])
                steps, fast, slow = interval([f[1] for f in found])
                better = None if before is None else success > before
                print(task, name, success, (low, high), steps, (fast, slow), file=sys.stderr)
                about = f"success [{low:.3f}, {high:.3f}], {len(SEEDS)} seeds"
                rows.append(
                    row(f"{task}: {name}", success, about, "" if before is None else "> the row before", better)
                )
                rows.append(row(f"{task}: {name}, length", steps, f"steps [{fast:.2f}, {slow:.2f}]"))
                before = success
    finish(rows)


if __name__ == "__main__":
    main(sys.argv[1:] or list(TASKS))
