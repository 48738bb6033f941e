"""The table of a comparison: one row for each configuration, over its seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from studio.analysis.groups import Group, baselines_for, grouped
from studio.analysis.statistics import known_mean, resampled_means
from studio.store.runs import RunInfo, read_run


def table(runs: Iterable[RunInfo | Path]) -> list[dict[str, Any]]:
    """Return one row for each configuration and number of episodes, over seeds (see :func:`grouped`).

    ``low`` and ``high`` are the 95% interval of the mean: with one seed the run's own over episodes, with more a
    two-level bootstrap, over seeds and over each seed's episodes. Where the task has no success these are returns, as
    ``measure`` says. ``conditions``: the scores under the evaluation's conditions, with their intervals. ``samples``:
    steps of experience that a training by reinforcement took. ``transfer`` compares with training without transfer (see
    :func:`baselines_for`): positive, negative, or unclear where the interval of the difference holds zero.
    """
    groups, _ = grouped(read_run(item) if isinstance(item, Path) else item for item in runs)
    rows = []
    for group in groups:
        sample, those = resampled_means(group.runs), group.runs
        low, high = np.quantile(sample, [0.025, 0.975])
        if len(those) == 1:
            low, high = those[0].low, those[0].high
        rows.append(
            {
                "strategy": group.strategy,
                "episodes": group.episodes,
                "seeds": len(those),
                "success": known_mean(run.success for run in those),
                "low": float(low),
                "high": float(high),
                "source_success": known_mean(run.source_success for run in those),
                "trainable_parameters": those[0].trainable_parameters,
                "seconds": known_mean(run.seconds for run in those),
                "peak_memory_mb": max(run.peak_memory_mb for run in those),
                "transfer": _transfer(group, sample, baselines_for(group, groups)),
                "measure": those[0].measure,
                "settings": group.settings,
                "target": f"{group.experiment.target.task} on {group.experiment.target.embodiment}",
                "samples": known_mean(run.samples for run in those),
                "conditions": _conditions(those),
            }
        )
    return rows


def _conditions(runs: Sequence[RunInfo]) -> dict[str, dict[str, float]]:
    """Return mean, ``low`` and ``high`` of the scores under each condition that all runs have."""
    scores, found = [dict(run.conditions) for run in runs], {}
    for name in scores[0]:
        if all(name in score for score in scores):
            those = [replace(run, success=score[name]) for run, score in zip(runs, scores, strict=True)]
            low, high = np.quantile(resampled_means(those), [0.025, 0.975])
            found[name] = {
                "success": float(np.mean([r.success for r in those])),
                "low": float(low),
                "high": float(high),
            }
    return found


def _transfer(group: Group, sample: np.ndarray, base: list[Group]) -> str:
    if len(base) != 1 or base[0] is group:
        return ""
    scratch = np.random.default_rng(1).permutation(resampled_means(base[0].runs))
    low, high = np.quantile(sample - scratch, [0.025, 0.975])
    return "positive" if low > 0 else "negative" if high < 0 else "unclear"
