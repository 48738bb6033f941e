"""What transfer was worth in runs that were scored while they trained: the table beneath a comparison's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from studio.experiment import Experiment
from studio.run import transfer_metrics as measures
from studio.run.runlog import read_log
from studio.run.runs import RunInfo

SHARE = 0.75  # of the way from the worst mean score to what training without transfer ends with: the threshold


def transfer_table(runs: Iterable[RunInfo]) -> list[dict[str, Any]]:
    """One row for each strategy and number of episodes that has curves over the same steps as training without
    transfer (``from_scratch``, or ``rl_from_scratch`` on the target): all of ``transfer_metrics.compared``."""
    curves: dict[tuple[str, int], tuple[tuple[int, ...], list[list[float]]]] = {}
    baselines: dict[int, tuple[str, int]] = {}
    for run in runs:
        if run.state != "finished":
            continue
        steps, values = curve_of(run.folder)
        key = run.strategy, run.episodes
        known = curves.setdefault(key, (steps, []))
        if len(steps) > 1 and known[0] == steps:
            known[1].append(values)
        if _without_transfer(run):
            baselines[run.episodes] = key
    rows = []
    for key, (steps, found) in sorted(curves.items(), key=lambda item: (item[0][1], item[0][0])):
        base = baselines.get(key[1])
        if base is None or base == key or not found or curves[base][0] != steps or not curves[base][1]:
            continue
        mine, scratch = np.array(found), np.array(curves[base][1])
        means = np.stack([mine.mean(0), scratch.mean(0)])
        low, high = float(means.min()), float(means.max())
        threshold = low + SHARE * (measures.iqm(measures.asymptote(scratch)) - low)
        if high <= low:
            continue  # nothing was learned by either
        whole = measures.compared(np.array(steps, float), mine, scratch, low, high, threshold)
        rows.append({"strategy": key[0], "episodes": key[1], "seeds": len(found), "threshold": threshold, **whole})
    return rows


def curve_of(folder: Path) -> tuple[tuple[int, ...], list[float]]:
    """Steps and scores of a run's evaluations on the target; the final one counts where there are two of a step."""
    scores = {}
    for row in sorted(read_log(folder).evaluations, key=lambda row: bool(row["final"])):
        if row["domain"] == "target":
            scores[int(row["step"])] = float(row["success"])
    return tuple(sorted(scores)), [scores[step] for step in sorted(scores)]


def format_transfer(rows: list[dict[str, Any]]) -> str:
    """The table as text."""
    shown = ("jumpstart", "asymptotic_gain", "time_to_threshold", "area_ratio", "negative_transfer")
    lines = [["strategy", "episodes", *(f"{name.replace('_', ' ')} [95%]" for name in shown), "reached"]]
    for row in rows:
        cells = [f"{row[n][0]:.3g} [{row[n][1]:.3g}, {row[n][2]:.3g}]" for n in shown]
        lines.append([row["strategy"], str(row["episodes"]), *cells, f"{row['reached']}/{row['seeds']}"])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _without_transfer(run: RunInfo) -> bool:
    if run.strategy == "rl_from_scratch":
        return bool(Experiment.load(run.folder / "experiment.yaml").strategy.params.get("train_on") == "target")
    return run.strategy == "from_scratch"
