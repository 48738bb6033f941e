"""How a policy evaluates its steps, to be drawn: traces under the picture, and the colored path behind the robot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from studio.contracts import Decoration
from studio.viewer.history import History
from studio.viewer.policy_probe import PolicyProbe, StepRecord, colored_path, full_color, traces

Array = np.ndarray


class StepOverlays:
    """Traces and path over a history, made only where there is more to show.

    Args:
        history: the last element of each entry's ``extra`` is its :class:`StepRecord`.
        extent: of the model, m.
    """

    def __init__(self, history: History, extent: float) -> None:
        self._history, self._extent = history, extent
        self._traced: tuple[Any, dict[str, Array] | None] = (None, None)  # last record of the traces, and the traces
        self._drawn: tuple[Any, Sequence[Decoration]] = (None, ())  # last record of the path, and the path
        self._full = 0.0  # score of the full color

    def traces(self, probe: PolicyProbe) -> dict[str, Array] | None:
        """Return the policy's numbers over the history, (entries, width) by name: the same object until there are more.

        None: it has none.
        """
        if not probe.answers:
            return None
        records = self._records()
        if self._traced[0] is not records[-1]:
            self._traced = (records[-1], traces(records))
        return self._traced[1]

    def path(self, probe: PolicyProbe) -> Sequence[Decoration]:
        """Return this episode's path until the present step, in the color of its scores, if the policy has them."""
        if probe.scores is None:
            return ()
        present = self._history.entries[self._history.cursor].extra[-1]
        if self._drawn[0] is not present:
            records = self._records()
            self._full = full_color(records)
            until = records[: self._history.cursor + 1]
            self._drawn = (present, colored_path(until, self._full, self._extent))
        return self._drawn[1]

    def legend(self, probe: PolicyProbe) -> tuple[str, float] | None:
        """Return (title, score of the full color) of the path; None: there is none."""
        return (probe.title, self._full) if self.path(probe) else None

    def _records(self) -> list[StepRecord]:
        return [entry.extra[-1] for entry in self._history.entries]
