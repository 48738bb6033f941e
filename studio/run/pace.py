"""How long a stage still takes, by how fast its last steps went."""

from __future__ import annotations

import math

LEAST_STEPS = 3  # that are timed before anything is said
LEAST_SECONDS = 1.0  # the same
KEPT = 64  # times that are remembered


class Pace:
    """Times the steps of a stage.

    What comes before its first step's end is left out, since only that step compiles and makes worlds; and the first
    half of the rest, as steps may become slower (a replay buffer is filled, an interim evaluation falls due).
    """

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []  # (seconds, share of the stage that was done then)

    def left(self, seconds: float, share: float) -> float:
        """Take the time at which a share of the stage is done; return the seconds to its end, NaN while unknown."""
        seen = self._seen
        if seen and share < seen[-1][1]:  # another piece of work in the same stage
            seen.clear()
        if share > (seen[-1][1] if seen else 0.0):
            seen.append((seconds, share))
        if len(seen) > KEPT:
            del seen[1:-1:2]
        if len(seen) <= LEAST_STEPS:
            return math.nan
        (first, _), (now, done) = seen[0], seen[-1]
        since, before = max(one for one in seen[:-1] if one[0] <= (first + now) / 2)
        return (now - since) * (1 - done) / (done - before) if now - since >= LEAST_SECONDS else math.nan
