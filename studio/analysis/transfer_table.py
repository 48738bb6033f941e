"""Transfer measured over training, of runs that were scored while they trained: the table below a comparison's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from studio.analysis import transfer_metrics as measures
from studio.analysis.groups import baselines_for, grouped
from studio.analysis.table_format import row_label
from studio.store.log_reader import read_log
from studio.store.runs import RunInfo

SHARE = 0.75  # of the way from the worst mean score to what training without transfer ends with: the threshold
NAMED = 5  # steps, at most, where scores are missing
WHY = {"stopped": "it is stopped", "failed": "it failed", "interrupted": "it was interrupted"}  # it is not finished


def transfer_table(runs: Iterable[RunInfo]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each configuration and number of episodes, and a sentence for each run or row that is left out.

    A row has all of ``transfer_metrics.compared``. Its runs were scored at the steps of the training without transfer
    that it is compared with.
    """
    runs, rows, left_out, scored = list(runs), [], [], set()
    groups, _ = grouped(runs)
    curves = {run.folder: curve_of(run.folder) for group in groups for run in group.runs}
    for group in groups:
        base = baselines_for(group, groups)
        steps = _usual([curves[run.folder][0] for g in base for run in g.runs]) if base else ()
        if len(steps) < 2:
            continue  # it was not scored while it trained, or there is nothing to compare it with
        scored.add(group.episodes)
        label = row_label({"strategy": group.strategy, "settings": group.settings})
        if len(base) > 1:
            if group not in base:
                words = f"{len(base)} trainings without transfer match it. Compare it with one of them."
                left_out.append(f"{label} is left out: {words}")
            continue
        found = []
        for run in group.runs:
            reason = _unfit(curves[run.folder][0], steps)
            if reason:
                left_out.append(f"{run.name} is left out: {reason}.")
            else:
                found.append(curves[run.folder][1])
        if base[0] is group or not found:
            continue
        mine = np.array(found)
        scratch = np.array([curves[run.folder][1] for run in base[0].runs if curves[run.folder][0] == steps])
        means = np.stack([mine.mean(0), scratch.mean(0)])
        low, high = float(means.min()), float(means.max())
        if not low < high:
            left_out.append(f"{label} is left out: neither it nor training without transfer learned anything.")
            continue
        threshold = low + SHARE * (measures.iqm(measures.asymptote(scratch)) - low)
        rows.append(
            {
                "strategy": group.strategy,
                "episodes": group.episodes,
                "seeds": len(mine),
                "threshold": threshold,
                **measures.compared(np.array(steps, float), mine, scratch, low, high, threshold),
                "settings": group.settings,
            }
        )
    unfinished = [run for run in runs if run.state != "finished" and run.episodes in scored]
    return rows, left_out + [
        f"{run.name} is left out: {WHY.get(run.state, 'it is still running')}." for run in unfinished
    ]


def curve_of(folder: Path) -> tuple[tuple[int, ...], list[float]]:
    """Return steps and scores of a run's evaluations on the target; of two of a step the final one counts."""
    scores = {}
    for row in sorted(read_log(folder).evaluations, key=lambda row: bool(row["final"])):
        if row["domain"] == "target":
            scores[int(row["step"])] = float(row["success"])
    return tuple(sorted(scores)), [scores[step] for step in sorted(scores)]


def _usual(found: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the steps at which most runs were scored; where two are as frequent, the longer ones."""
    return max(found, key=lambda steps: (found.count(steps), len(steps)))


def _unfit(found: tuple[int, ...], steps: tuple[int, ...]) -> str:
    """Return why scores cannot be compared with those at ``steps``; empty where they can."""
    missing = [str(step) for step in steps if step not in found]
    if missing:
        more = ", …" if len(missing) > NAMED else ""
        return f"it has no score at step {', '.join(missing[:NAMED])}{more}, unlike training without transfer"
    return "" if found == steps else "it was scored at more steps than training without transfer"
