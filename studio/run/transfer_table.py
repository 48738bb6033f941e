"""What transfer was worth in runs that were scored while they trained: the table beneath a comparison's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from studio.run import transfer_metrics as measures
from studio.run.baseline import baselines
from studio.run.runlog import read_log
from studio.run.runs import RunInfo

SHARE = 0.75  # of the way from the worst mean score to what training without transfer ends with: the threshold
NAMED = 5  # steps, at most, where scores are missing


def transfer_table(runs: Iterable[RunInfo]) -> tuple[list[dict[str, Any]], list[str]]:
    """One row for each strategy and number of episodes whose runs were scored at the steps of training without
    transfer: all of ``transfer_metrics.compared``. And sentences, one for each run or row that had to be left out."""
    runs, rows, left_out = list(runs), [], []
    for episodes, base in sorted(baselines(run for run in runs if run.state == "finished").items()):
        those = [run for run in runs if run.episodes == episodes]
        curves = {run.folder: curve_of(run.folder) for run in those if run.state == "finished"}
        steps = _usual([curves[run.folder][0] for run in base])
        if len(steps) < 2:
            continue  # it was not scored while it trained
        groups: dict[str, list[list[float]]] = {}
        for run in sorted(those, key=lambda run: run.strategy):
            reason = _unfit(run, curves.get(run.folder, ((), []))[0], steps)
            if reason:
                left_out.append(f"{run.name} is left out: {reason}.")
            elif run.strategy != base[0].strategy:
                groups.setdefault(run.strategy, []).append(curves[run.folder][1])
        scratch = np.array([curves[run.folder][1] for run in base if curves[run.folder][0] == steps])
        for strategy, found in groups.items():
            mine = np.array(found)
            means = np.stack([mine.mean(0), scratch.mean(0)])
            low, high = float(means.min()), float(means.max())
            if not low < high:
                left_out.append(f"{strategy} is left out: neither it nor training without transfer learned anything.")
                continue
            threshold = low + SHARE * (measures.iqm(measures.asymptote(scratch)) - low)
            whole = measures.compared(np.array(steps, float), mine, scratch, low, high, threshold)
            rows.append(
                {"strategy": strategy, "episodes": episodes, "seeds": len(mine), "threshold": threshold, **whole}
            )
    return rows, left_out


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


def _usual(found: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The steps at which most runs were scored; of as many the longer ones."""
    return max(found, key=lambda steps: (found.count(steps), len(steps)))


def _unfit(run: RunInfo, found: tuple[int, ...], steps: tuple[int, ...]) -> str:
    """Why a run's scores cannot stand beside those at ``steps``; empty where they can."""
    if run.state != "finished":
        return f"it is {run.state}"
    missing = [str(step) for step in steps if step not in found]
    if missing:
        more = ", …" if len(missing) > NAMED else ""
        return f"it has no score at step {', '.join(missing[:NAMED])}{more}, unlike training without transfer"
    return "" if found == steps else "it was scored at more steps than training without transfer"
