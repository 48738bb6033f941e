"""A row of the runs table: one run, or all that differ in nothing but their seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from studio.analysis.statistics import known_mean, resampled_means
from widgets.curves.overlay import key_of

ALIVE = ("preparing", "running", "paused")
_TELLING = (*ALIVE, "failed", "interrupted", "stopped", "finished")  # states, in the order in which they are told of


def key_of_row(run: Any) -> str:
    """Return what is the same for runs of one row: their configuration, or of a run without one its folder."""
    return str(run.configuration) or str(key_of(run.folder))


class RunGroup:
    """The runs (``studio.store.runs.RunInfo``) of one row, by seed; of those that share one the newest counts."""

    def __init__(self, runs: Sequence[Any]) -> None:
        self.key = key_of_row(runs[0])
        self.runs = sorted(runs, key=lambda run: (run.seed, run.created))

    @property
    def is_group(self) -> bool:
        """Whether it is of several runs."""
        return len(self.runs) > 1

    @property
    def newest(self) -> Any:
        """The run that was started last."""
        return max(self.runs, key=lambda run: float(run.created))

    @property
    def seeds(self) -> list[int]:
        """The seeds, in order."""
        return sorted({run.seed for run in self.runs})

    @property
    def telling_state(self) -> str:
        """The state of the run that there is most to say of."""
        return min((run.state for run in self.runs), key=_TELLING.index)

    @property
    def in_state(self) -> int:
        """How many runs are in that state."""
        return sum(run.state == self.telling_state for run in self.runs)

    @cached_property
    def below(self) -> list[RunGroup]:
        """The rows under it, in order; none where it is one run."""
        return [RunGroup([run]) for run in self.runs] if self.is_group else []

    @cached_property
    def mean(self) -> Any:
        """Its runs as one: means over the seeds, the newest start; without the interval, which takes a while."""
        if not self.is_group:
            return self.runs[0]
        scored = self._scored or self.runs
        return replace(
            self.newest,
            measure=scored[0].measure,  # the newest may have no score, nor its measure, yet
            success=_mean(run.success for run in scored),
            low=math.nan,
            high=math.nan,
            source_success=_mean(run.source_success for run in scored),
            seconds=_mean(run.seconds for run in scored),
            state=self.telling_state,
        )

    @cached_property
    def info(self) -> Any:
        """The same with the score's 95% interval over seeds and episodes."""
        if not self.is_group or not self._scored:
            return self.mean
        low, high = np.quantile(resampled_means(self._scored), [0.025, 0.975])
        return replace(self.mean, low=float(low), high=float(high))

    @cached_property
    def _scored(self) -> list[Any]:
        """The newest run of each seed that has a score."""
        return list({run.seed: run for run in self.runs if math.isfinite(run.success)}.values())


def _mean(values: Any) -> float:
    found = known_mean(values)
    return math.nan if found is None else found
