"""What the curves are drawn from: growable columns, and the series of one run, live or from its log."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from studio.errors import DataError, ExperimentError
from studio.experiment import Experiment
from widgets.curves.smoothing import time_weighted_ema

if TYPE_CHECKING:
    from studio.store.log_reader import LogData

Axis = Literal["step", "time"]
PRETRAIN, ADAPT = "pretrain", "adapt"
SEPARATOR = " · "  # between the parts of a run's name
STEP, SECONDS, VALUE, LOW, HIGH = range(5)
DEVICES = {  # metric: (plot, label, unit)
    "cpu_percent": ("load", "CPU", "%"),
    "gpu_percent": ("load", "GPU", "%"),
    "memory_mb": ("memory", "process", "MB"),
    "gpu_memory_mb": ("memory", "GPU", "MB"),
}


def stage_of(stage: str) -> str:
    """The two stages that have curves: pretraining on the source, and everything after it."""
    return PRETRAIN if stage == PRETRAIN else ADAPT


class Series:
    """Points (step, seconds, value, low, high) in one array that doubles when it is full."""

    def __init__(self, unit: str = "", capacity: int = 256) -> None:
        self.unit = unit
        self._rows = np.full((5, capacity), np.nan)
        self._length = 0
        self._smoothed: tuple[Any, np.ndarray] | None = None
        self.version = 0

    def __len__(self) -> int:
        return self._length

    def append(self, step: float, seconds: float, value: float, low: float = np.nan, high: float = np.nan) -> None:
        """Add a point. A step that was there already (a resumed run) takes the place of it and of all after it."""
        if self._length and step <= self._rows[STEP, self._length - 1]:
            self._length = int(np.searchsorted(self._rows[STEP, : self._length], step))
        if self._length == self._rows.shape[1]:
            self._rows = np.concatenate([self._rows, np.full_like(self._rows, np.nan)], axis=1)
        self._rows[:, self._length] = (step, seconds, value, low, high)
        self._length += 1
        self.version += 1

    @classmethod
    def of(cls, step: ArrayLike, seconds: ArrayLike, value: ArrayLike, unit: str = "") -> Series:
        """From whole arrays; where a resumed run repeats steps, the later points count."""
        step = np.asarray(step, np.float64)
        made = cls(unit, 1)
        if len(step):
            later = np.append(np.minimum.accumulate(step[::-1])[::-1][1:], np.inf)
            keep = step < later
            made._rows = np.full((5, int(keep.sum())), np.nan)
            made._rows[:3] = [np.asarray(column, np.float64)[keep] for column in (step, seconds, value)]
            made._length = made._rows.shape[1]
        return made

    def prepend(self, earlier: Series) -> None:
        """Put in front what ``earlier`` has before this series' first step."""
        if not len(earlier):
            return
        cut = int(np.searchsorted(earlier.column(STEP), self._rows[STEP, 0])) if self._length else len(earlier)
        self._rows = np.concatenate([earlier._rows[:, :cut], self._rows[:, : max(self._length, 1)]], axis=1)
        self._length += cut
        self.version += 1

    def column(self, index: int) -> np.ndarray:
        """Return a view of one column; valid until the next append."""
        return self._rows[index, : self._length]

    def x(self, axis: Axis) -> np.ndarray:
        """The horizontal values."""
        return self.column(SECONDS if axis == "time" else STEP)

    def smoothed(self, axis: Axis, smoothing: float) -> np.ndarray:
        """The smoothed values; computed again only after something changed."""
        if smoothing <= 0:
            return self.column(VALUE)
        key = (self.version, self._length, axis, smoothing)
        if self._smoothed is None or self._smoothed[0] != key:
            self._smoothed = (key, time_weighted_ema(self.x(axis), self.column(VALUE), smoothing))
        return self._smoothed[1]


class RunData:
    """Everything of one run that can be drawn.

    Args:
        folder: the run's; None while it is not known.
        name: what the run is called beside others.
        task: the id of the target's task; empty where it is not known.
    """

    def __init__(self, folder: Path | None, name: str, task: str = "") -> None:
        self.folder, self.name, self.task = folder, name, task
        self.label = name  # as short as distinguishes it from the runs beside it
        self.metrics: dict[tuple[str, str], Series] = {}  # (stage, metric)
        self.scores: dict[tuple[str, str, str], Series] = {}  # (stage, measure, domain): evaluations
        self.devices: dict[str, Series] = {}
        self.checkpoints: list[tuple[str, int]] = []
        self._device_start: float | None = None
        self.is_shown = True  # False: it only counts in the average over seeds
        self.settings: dict[str, Any] = {}  # of its experiment, by dotted name
        self.distinction = ""  # the settings in which it differs from other runs of the same name
        self.group = ""  # in which it is averaged; empty: it is drawn on its own

    def add_metrics(
        self, stage: str, step: int, seconds: float, values: Mapping[str, float], units: Mapping[str, str]
    ) -> None:
        """One iteration's numbers."""
        stage = stage_of(stage)
        for name, value in values.items():
            series = self.metrics.get((stage, name))
            if series is None:
                series = self.metrics[stage, name] = Series(units.get(name, ""))
            series.append(step, seconds, value)

    def add_score(
        self, stage: str, domain: str, step: int, score: float, low: float, high: float, measure: str = "success"
    ) -> None:
        """Add an evaluation, by success or another measure, at the time of its training step."""
        stage = stage_of(stage)
        series = self.scores.setdefault((stage, measure, domain), Series())
        series.append(step, self.seconds_at(stage, step), score, low, high)

    def add_device(self, time: float, values: Mapping[str, float]) -> None:
        """One sample of the load, at ``time`` (seconds since the epoch)."""
        if self._device_start is None:
            self._device_start = time
        for name, value in values.items():
            if np.isfinite(value):
                unit = DEVICES[name][2]
                seconds = time - self._device_start
                self.devices.setdefault(name, Series(unit)).append(seconds, seconds, value)

    def add_checkpoint(self, stage: str, step: int) -> None:
        """Note a checkpoint that can be played."""
        if (stage_of(stage), step) not in self.checkpoints:
            self.checkpoints.append((stage_of(stage), step))

    def prepend(self, earlier: RunData) -> None:
        """Take what a resumed run did before, from its log; the load starts again with the new process."""
        self.name = self.label = earlier.name
        self.task = earlier.task or self.task
        for metric, series in earlier.metrics.items():
            self.metrics.setdefault(metric, Series(series.unit)).prepend(series)
        for score, series in earlier.scores.items():
            self.scores.setdefault(score, Series()).prepend(series)
        for stage, step in earlier.checkpoints:
            self.add_checkpoint(stage, step)

    def seconds_at(self, stage: str, step: float) -> float:
        """Return the training time at a step, s, interpolated in the stage's metric with the most points."""
        known = max((s for (at, _), s in self.metrics.items() if at == stage), key=len, default=None)
        return (
            float(np.interp(step, known.column(STEP), known.column(SECONDS)))
            if known is not None and len(known)
            else 0.0
        )

    def nearest_checkpoint(self, stage: str, step: float) -> int | None:
        """The step of the checkpoint of that stage nearest to ``step``."""
        steps = [at for of, at in self.checkpoints if of == stage]
        return min(steps, key=lambda at: abs(at - step)) if steps else None

    @classmethod
    def from_log(
        cls,
        folder: Path,
        name: str,
        log: LogData,
        checkpoints: Iterable[tuple[str, int]],
        measure: str = "success",
        task: str = "",
    ) -> RunData:
        """Return what a run's log and its checkpoints' (stage, step) hold."""
        made = cls(folder, name, task)
        for (stage, metric), series in log.metrics.items():
            made.metrics[stage_of(stage), metric] = Series.of(series.step, series.time, series.value, series.unit)
        for row in sorted(log.evaluations, key=lambda row: row["step"]):
            made.add_score(row["stage"], row["domain"], row["step"], row["success"], row["low"], row["high"], measure)
        devices = dict(log.devices)
        times = next((np.asarray(devices.pop(key)) for key in ("time", "seconds") if key in devices), None)
        for metric, values in devices.items():
            values = np.asarray(values, np.float64)
            if times is None or metric not in DEVICES or not np.isfinite(values).any():
                continue
            finite, seconds = np.isfinite(values), times - times[0]
            unit = DEVICES[metric][2]
            made.devices[metric] = Series.of(seconds[finite], seconds[finite], values[finite], unit)
        for stage, step in checkpoints:
            made.add_checkpoint(stage, step)
        return made


def label_of(experiment: Experiment, title: Callable[[str], str] = str) -> str:
    """Return what distinguishes a run from the others: strategy, data, seed. ``title`` maps strategy ids to titles."""
    parts = (title(experiment.strategy.id), f"{experiment.target.episodes} ep", f"seed {experiment.seed}")
    return SEPARATOR.join(parts)


def load_run(folder: Path, title: Callable[[str], str] = str) -> RunData:
    """Read a run's log and checkpoints from disk; ``title`` as in :func:`label_of`. Slow: not for the UI thread."""
    from studio.analysis.groups import leaves
    from studio.store.checkpoint import list_checkpoints
    from studio.store.log_reader import read_log
    from studio.store.runs import read_status

    found = [(stage, step) for stage, step, _ in list_checkpoints(folder)]
    name, task, settings = folder.name, "", dict[str, Any]()
    with contextlib.suppress(ExperimentError):  # its numbers can be shown all the same
        experiment = Experiment.load(folder / "experiment.yaml")
        name, task = label_of(experiment, title), experiment.target.task
        settings = dict(leaves(experiment))
    measure = "success"
    with contextlib.suppress(DataError):  # a log without its run.json can be drawn all the same
        measure = read_status(folder).get("summary", {}).get("measure", measure)
    made = RunData.from_log(folder, name, read_log(folder), found, measure, task)
    made.settings = settings
    return made
