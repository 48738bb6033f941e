"""Results of runs in words and tables: a score, a summary of several runs, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from widgets.curves.axis import clock

if TYPE_CHECKING:
    from studio.store.runs import RunInfo


def rate(value: float | None, measure: str = "success") -> str:
    """A success rate, or a return, for reading."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.2f}" if measure == "success" else f"{value:,.4g}"


def summary(runs: list[RunInfo], title: Callable[[str], str] = str) -> list[tuple[str, int, float, float, float]]:
    """Group runs of the same strategy and, where it differs, number of episodes.

    Args:
        runs: the runs.
        title: gives a strategy's title by its id.

    Returns:
        (label, runs with a result, mean success, least, greatest) of each group that has a result, the best first.
    """
    sizes = {run.episodes for run in runs}
    groups: dict[str, list[float]] = {}
    for run in runs:
        label = title(run.strategy) + (f" · {run.episodes} ep" if len(sizes) > 1 else "")
        if math.isfinite(run.success):
            groups.setdefault(label, []).append(run.success)
    rows = [(label, len(v), sum(v) / len(v), min(v), max(v)) for label, v in groups.items()]
    return sorted(rows, key=lambda row: -row[2])


_COPIED = ("name", "strategy", "source", "target", "episodes", "seed", "success", "low", "high", "source_success")
_COPIED_TOO = ("trainable_parameters", "seconds", "state")


def as_csv(runs: Iterable[Any]) -> str:
    """The runs as CSV, with every digit."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*_COPIED, *_COPIED_TOO, "folder"))
    for run in runs:
        writer.writerow([getattr(run, name) for name in (*_COPIED, *_COPIED_TOO)] + [run.folder])
    return out.getvalue()


def as_markdown(runs: Iterable[Any]) -> str:
    """The runs as a Markdown table, rounded for reading."""
    head = ("Strategy", "Source → target", "Episodes", "Seed", "Success [95%]", "On source", "Trainable", "Time")
    lines = ["| " + " | ".join(head) + " |", "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for run in runs:
        interval = "{} [{}, {}]".format(*(rate(v, run.measure) for v in (run.success, run.low, run.high)))
        spent = clock(run.seconds) if run.seconds and math.isfinite(run.seconds) else "–"
        trainable = f"{run.trainable_parameters:,}" if run.trainable_parameters else "–"
        cells = (run.strategy, f"{run.source} → {run.target}", str(run.episodes), str(run.seed), interval)
        lines.append("| " + " | ".join((*cells, rate(run.source_success), trainable, spent)) + " |")
    return "\n".join(lines) + "\n"
