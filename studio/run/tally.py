"""Several pieces of work, counted as one."""

from __future__ import annotations

from collections.abc import Callable

Tick = Callable[[int, int], None]


class Tally:
    """Adds up what its pieces count.

    Args:
        tick: called with (done, total) over all pieces; it may raise to leave.
        total: the sizes of all pieces together.
    """

    def __init__(self, tick: Tick, total: int) -> None:
        self._tick, self._total, self._begun = tick, total, 0

    def piece(self, size: int) -> Tick:
        """Return what the next piece calls with (done, total) of its own."""
        start = self._begun
        self._begun += size
        return lambda done, total: self._tick(start + size * done // max(1, total), self._total)
