"""Strategies × data sizes × seeds: what to run, and the table of what came out."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from studio.errors import ExperimentError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.baseline import baselines
from studio.run.channels import Channels
from studio.run.runs import RunInfo, list_runs, read_run
from studio.run.session import Session

COLUMNS = (
    "strategy", "episodes", "seeds", "success", "low", "high", "source_success", "trainable_parameters", "seconds",
    "peak_memory_mb", "transfer", "measure",
)  # fmt: skip


def matrix(experiment: Experiment) -> list[Experiment]:
    """The experiments of a comparison. The experiment's own parameters apply to its own strategy alone; others have
    theirs in the comparison. Raises ExperimentError where those are of a strategy that is not compared."""
    plan, own, runs = experiment.comparison, experiment.strategy.id, []
    for id in plan.params:
        if id != own and id not in plan.strategies:
            raise ExperimentError(
                f"There are parameters for '{id}', which is not among the strategies that are compared.",
                f"comparison.params.{id}",
                "Add it to the strategies.",
            )
    for episodes in plan.episodes or [experiment.target.episodes]:
        for seed in plan.seeds or [experiment.seed]:
            for strategy in plan.strategies or [experiment.strategy.id]:
                params = experiment.strategy.params if strategy == own else plan.params.get(strategy, {})
                runs.append(
                    experiment.changed(
                        name=f"{experiment.name}-{strategy}-{episodes}-{seed}",
                        strategy={"id": strategy, "params": params},
                        seed=seed,
                        comparison={},
                        **{"target.episodes": episodes},
                    )
                )
    return runs


def run_all(
    experiments: Iterable[Experiment],
    registry: Registry,
    folder: Path,
    channels: Callable[[int, Experiment], Channels],
    drive: Callable[[Session], object],
) -> list[RunInfo]:
    """Runs what has not been run yet; a finished run of the same content is taken as it is. Ends where one is stopped.

    Args:
        channels: gives the channels of the session with this index.
        drive: runs a session (``Session.run``, with whatever the caller wants to do around it).
    """
    done = {run.experiment_hash: run for run in list_runs(folder) if run.state == "finished"}
    found = []
    for index, experiment in enumerate(experiments):
        known = done.get(experiment.content_hash())
        if known is None:
            session = Session(experiment, registry, channels(index, experiment), folder)
            drive(session)
            known = read_run(session.folder)
        found.append(known)
        if known.state != "finished":
            break
    return found


def table(runs: Iterable[RunInfo | Path]) -> list[dict[str, Any]]:
    """One row for each strategy and number of episodes, over seeds.

    ``low`` and ``high`` are the 95% interval of the mean: with one seed the run's own over episodes, with more a
    two-level bootstrap, over seeds and over each seed's episodes. Where the task has no success these are returns, as
    ``measure`` says. ``transfer`` compares with training without transfer (see :mod:`studio.run.baseline`) at the same
    number of episodes: positive, negative, or unclear where the interval of the difference holds zero.
    """
    groups: dict[tuple[str, int], list[RunInfo]] = {}
    for item in runs:
        run = read_run(item) if isinstance(item, Path) else item
        if run.state == "finished":
            groups.setdefault((run.strategy, run.episodes), []).append(run)
    bases = baselines(run for group in groups.values() for run in group)
    samples = {key: _resampled(group) for key, group in groups.items()}
    rows = []
    for (strategy, episodes), group in sorted(groups.items(), key=lambda item: (item[0][1], item[0][0])):
        low, high = np.quantile(samples[(strategy, episodes)], [0.025, 0.975])
        if len(group) == 1:
            low, high = group[0].low, group[0].high
        rows.append(
            {
                "strategy": strategy,
                "episodes": episodes,
                "seeds": len(group),
                "success": _mean(run.success for run in group),
                "low": float(low),
                "high": float(high),
                "source_success": _mean(run.source_success for run in group),
                "trainable_parameters": group[0].trainable_parameters,
                "seconds": _mean(run.seconds for run in group),
                "peak_memory_mb": max(run.peak_memory_mb for run in group),
                "transfer": _transfer(strategy, samples[(strategy, episodes)], bases.get(episodes, [])),
                "measure": group[0].measure,
            }
        )
    return rows


def format_table(rows: list[dict[str, Any]], style: str) -> str:
    """The table as text: ``table``, ``md`` or ``csv``."""
    if style == "csv":
        stream = io.StringIO()
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        return stream.getvalue().rstrip()
    measure = " or ".join(sorted({row["measure"] for row in rows})) or "success"
    header = ["strategy", "episodes", "seeds", f"{measure} [95%]", "source", "trained", "seconds", "MB", "transfer"]
    cells = [
        [
            row["strategy"],
            str(row["episodes"]),
            str(row["seeds"]),
            f"{row['success']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
            "–" if row["source_success"] is None else f"{row['source_success']:.3f}",
            f"{row['trainable_parameters']:,}",
            "–" if row["seconds"] is None else f"{row['seconds']:.1f}",
            f"{row['peak_memory_mb']:.0f}",
            row["transfer"] or "–",
        ]
        for row in rows
    ]
    widths = [max(len(line[i]) for line in [header, *cells]) for i in range(len(header))]

    def line(values: list[str]) -> str:
        padded = [v.ljust(w) if i == 0 else v.rjust(w) for i, (v, w) in enumerate(zip(values, widths, strict=True))]
        return "| " + " | ".join(padded) + " |" if style == "md" else "  ".join(padded).rstrip()

    rule = ["-" * w for w in widths]
    return "\n".join([line(header), line(rule), *(line(c) for c in cells)])


def _resampled(group: list[RunInfo], resamples: int = 10_000) -> np.ndarray:
    """Bootstrap means over seeds, and within each over its episodes: binomial for successes; for returns normal, with
    the spread that the run's own interval shows."""
    rng = np.random.default_rng(0)
    if group[0].measure == "return":
        chosen = rng.integers(0, len(group), (resamples, len(group)))
        means, spreads = (np.array(v) for v in zip(*((r.success, (r.high - r.low) / 3.92) for r in group), strict=True))
        return np.asarray(rng.normal(means[chosen], spreads[chosen]).mean(1))
    rates = np.array([run.success for run in group])
    episodes = np.array([_episodes_of(run) for run in group])
    chosen = rng.integers(0, len(group), (resamples, len(group)))
    return rng.binomial(episodes[chosen], rates[chosen]).mean(1) / episodes.mean()


def _episodes_of(run: RunInfo) -> int:
    return max(1, Experiment.load(run.folder / "experiment.yaml").evaluation.episodes)


def _transfer(strategy: str, sample: np.ndarray, base: list[RunInfo]) -> str:
    if not base or base[0].strategy == strategy:
        return ""
    scratch = np.random.default_rng(1).permutation(_resampled(base))
    low, high = np.quantile(sample - scratch, [0.025, 0.975])
    return "positive" if low > 0 else "negative" if high < 0 else "unclear"


def _mean(values: Iterable[float]) -> float | None:
    known = [v for v in values if not math.isnan(v)]
    return float(np.mean(known)) if known else None
