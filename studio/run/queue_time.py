"""How long a queue still takes, by what its runs have taken so far."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable

from studio.run.queue_entry import Entry


def seconds_left(entries: Iterable[Entry], present_left: float = math.nan, now: float | None = None) -> float:
    """Return the seconds until all that runs or waits has ended, one after the other; NaN where nothing tells.

    An entry is taken to need as long for an iteration as the finished ones of its strategy did, source policy and
    evaluation included; where none of its strategy has finished, as those of all strategies.

    Args:
        entries: of the queue.
        present_left: seconds that the running entry still needs, where its session says so.
        now: seconds since the epoch; None: now.
    """
    entries, now = list(entries), time.time() if now is None else now
    paces: dict[str, list[float]] = {}
    for entry in entries:
        spent = entry.seconds if entry.state == "finished" else math.nan
        if entry.state == "running" and math.isfinite(present_left):
            spent = now - entry.since + present_left
        if math.isfinite(spent) and spent > 0:
            paces.setdefault(entry.experiment.strategy.id, []).append(spent / _iterations(entry))
    every = [pace for found in paces.values() for pace in found]

    def whole(entry: Entry) -> float:
        known = paces.get(entry.experiment.strategy.id, every)
        return statistics.median(known) * _iterations(entry) if known else math.nan

    total = 0.0
    for entry in entries:
        if entry.state == "running":
            total += present_left if math.isfinite(present_left) else max(0.0, whole(entry) - (now - entry.since))
        elif entry.state == "waiting":
            total += whole(entry)
    return total


def _iterations(entry: Entry) -> int:
    return entry.iterations or entry.experiment.budget.iterations
