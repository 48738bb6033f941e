"""Reads a run's HDF5 log, also while it is being written and after its writer was killed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from studio.errors import DataError
from studio.store.log_tables import TABLES

UNFINISHED = "already open for write"  # in HDF5's message of a log that is being written, or was when it was killed
BROKEN = OSError, KeyError, RuntimeError  # what HDF5 raises of a damaged file


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a log for reading, whether it is being written or not.

    Raises:
        DataError: the log is missing or damaged, as it turns out now or while it is read.
    """
    try:
        with _open(path) as file:
            yield file
    except BROKEN as error:
        words = error.args[0] if isinstance(error, KeyError) else error
        raise DataError(
            f"The run log cannot be read ({words}).", str(path), "Choose another run, or delete the damaged log.h5."
        ) from None


def _open(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if UNFINISHED not in str(error):  # as a SWMR reader HDF5 would wait forever for what a damaged file lacks
            raise
        return h5py.File(path, "r", swmr=True)


@dataclass(frozen=True)
class Series:
    """One metric over a run."""

    step: np.ndarray
    time: np.ndarray
    value: np.ndarray
    unit: str


@dataclass(frozen=True)
class LogData:
    """A run's log, read: metrics by (stage, name), evaluations as rows, device samples as columns."""

    metrics: dict[tuple[str, str], Series] = field(default_factory=dict)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    devices: dict[str, np.ndarray] = field(default_factory=dict)


def read_log(folder: Path) -> LogData:
    """Read a run's log, also while the run is active and after it was killed.

    Raises:
        DataError: the log is damaged.
    """
    path = Path(folder) / "log.h5"
    if not path.exists():
        return LogData()
    with opened(path) as file:
        metrics, evaluations, devices = (file[name][:] for name in ("metrics", "evaluations", "devices"))
    series = {}
    keys: Any = np.unique(metrics[["stage", "name"]]) if len(metrics) else []
    for stage, name in keys:
        rows = metrics[(metrics["stage"] == stage) & (metrics["name"] == name)]
        # a resumed run repeats the steps since its last checkpoint: the later ones count
        _, last = np.unique(rows["step"][::-1], return_index=True)
        rows = rows[::-1][last]
        series[(stage.decode(), name.decode())] = Series(
            rows["step"], rows["seconds"], rows["value"], rows["unit"][0].decode()
        )
    plain = [
        {
            key: (value.decode() if isinstance(value, bytes) else value.item())
            for key, value in zip(row.dtype.names, row, strict=True)
        }
        for row in evaluations
    ]
    return LogData(series, plain, {name: devices[name] for name in devices.dtype.names or ()})


@dataclass(frozen=True)
class EpisodeTable:
    """A run's evaluation episodes, (n,) each, and what was drawn for them: name → (n,), NaN where it was not."""

    domain: np.ndarray
    step: np.ndarray
    seed: np.ndarray
    success: np.ndarray
    returns: np.ndarray
    length: np.ndarray
    randomization: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.step)


def read_episodes(folder: Path) -> EpisodeTable:
    """Read the episodes of a run's log, in the order of (domain, step, seed), also while the run is active.

    Raises:
        DataError: the log is damaged.
    """
    path = Path(folder) / "log.h5"
    episodes, drawn = (np.zeros(0, np.dtype(TABLES[name])) for name in ("episodes", "randomization"))
    if path.exists():
        with opened(path) as file:
            drawn, episodes = file["randomization"][:], file["episodes"][:]
    which = ["domain", "step", "seed"]
    # what a resumed run repeats is logged twice: the later row counts
    keys, last = np.unique(episodes[which][::-1], return_index=True)
    rows = episodes[::-1][last]
    _, place = np.unique(np.concatenate([keys, drawn[which]]), return_inverse=True)
    order = np.full(place.max(initial=-1) + 1, -1)
    order[place[: len(keys)]] = np.arange(len(keys))
    values = {}
    for name in np.unique(drawn["name"]) if len(drawn) else ():
        mine = drawn["name"] == name
        at = order[place[len(keys) :][mine]]
        column = np.full(len(keys), np.nan)
        column[at[at >= 0]] = drawn["value"][mine][at >= 0]
        values[name.decode()] = column
    return EpisodeTable(
        domain=np.char.decode(rows["domain"]),
        step=rows["step"],
        seed=rows["seed"],
        success=rows["success"],
        returns=rows["return"],
        length=rows["length"],
        randomization=values,
    )
