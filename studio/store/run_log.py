"""The run's HDF5 log: one writer thread, many readers (SWMR).

Tables, each one growing dataset of a compound type: ``metrics`` (stage, name, unit, step, seconds, value),
``evaluations``, ``episodes``, ``randomization`` and ``devices``. Once SWMR is on, HDF5 allows no new datasets; long
tables take any metric a strategy thinks of. The file's attributes carry schema version, experiment text, seed and
versions.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from studio.errors import DataError
from studio.events import DeviceSample, EpisodesEnded, Evaluated, Event, Events, Logged, MetricsLogged
from studio.experiment import Experiment

SCHEMA = 1
UNFINISHED = "already open for write"  # in HDF5's message of a log that is being written, or was when it was killed
BROKEN = OSError, KeyError, RuntimeError  # what HDF5 raises of a damaged file
FLUSH_SECONDS = 1.0
ROOM = 1024 * 1024  # bytes that must be free before the log is written
PACKAGES = ("torch", "mujoco", "numpy", "h5py", "peft", "gymnasium", "transfer-studio")
TABLES: dict[str, list[tuple[str, str]]] = {
    "metrics": [("stage", "S16"), ("name", "S96"), ("unit", "S24"), ("step", "i8"), ("seconds", "f8"), ("value", "f8")],
    "evaluations": [
        ("stage", "S16"), ("domain", "S8"), ("step", "i8"), ("episodes", "i8"), ("seed", "i8"), ("success", "f8"),
        ("low", "f8"), ("high", "f8"), ("mean_return", "f8"), ("final", "?"),
    ],
    "episodes": [
        ("domain", "S8"), ("step", "i8"), ("seed", "i8"), ("success", "?"), ("return", "f8"), ("length", "i8"),
    ],
    "randomization": [("domain", "S8"), ("step", "i8"), ("seed", "i8"), ("name", "S96"), ("value", "f8")],
    "devices": [
        ("time", "f8"), ("cpu_percent", "f8"), ("memory_mb", "f8"), ("gpu_percent", "f8"), ("gpu_memory_mb", "f8"),
    ],
}  # fmt: skip
# by a term's key (field, or field:parts); three rows where a term has three numbers; of a term drawn again within the
# episode the mean; NaN where the model's own field of view was kept. Of a family of tasks also ``context:component``
RANDOMIZED = "factor; s for delay; m for places; degrees for field of view; px for blur; the sensor's unit for noise"
PACKED = ("metrics", "episodes", "randomization")
UNITS = {
    "metrics": {"seconds": "s of training, pauses excluded", "step": "iterations"},
    "evaluations": {"success": "share of episodes, or a return", "low": "of 95% interval", "high": "of 95% interval"},
    "episodes": {"return": "sum of rewards", "length": "control steps"},
    "randomization": {"value": RANDOMIZED},
    "devices": {"time": "s since the epoch", "cpu_percent": "% of one core", "memory_mb": "MB", "gpu_percent": "%",
                "gpu_memory_mb": "MB"},
}  # fmt: skip


class RunLog:
    """Writes a session's events to ``log.h5`` from a thread of its own. Nothing waits for it.

    Args:
        path: the file. An existing one is continued.
        events: the channel to listen to.
        experiment: what is being run; its text goes into the file.
    """

    def __init__(self, path: Path, events: Events, experiment: Experiment) -> None:
        self._events = events
        self._path, self._experiment = path, experiment
        self._subscription = events.subscribe()
        self._commands: queue.Queue[str] = queue.Queue()
        self._ready = threading.Event()
        self._failure: OSError | DataError | None = None
        self._thread = threading.Thread(target=self._write, name="run log", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Writes what is left and closes the file."""
        self._commands.put("close")
        self._thread.join()
        self._events.unsubscribe(self._subscription)

    def _write(self) -> None:
        try:
            file = _create(self._path, self._experiment)
        except (OSError, DataError) as error:
            self._failure = error
            return
        finally:
            self._ready.set()
        complained = False
        closing = False
        with file:
            while not closing:
                try:
                    closing = self._commands.get(timeout=FLUSH_SECONDS) == "close"
                except queue.Empty:
                    closing = False
                try:
                    _need_room(self._path)
                    _append(file, self._subscription.drain(1_000_000))
                except (
                    Exception
                ) as error:  # a full disk, a value that fits no column: training goes on, it is told once
                    if not complained:
                        text = f"The run log cannot be written ({error}). Free disk space."
                        self._events.publish(Logged("error", text))
                        complained = True


def _need_room(path: Path) -> None:
    """Raises OSError on a nearly full disk: HDF5 cannot close a file it failed to write, and crashes at exit."""
    if shutil.disk_usage(path.parent).free < ROOM:
        raise OSError(errno.ENOSPC, "no space is left on the disk")


def _create(path: Path, experiment: Experiment) -> h5py.File:
    _need_room(path)
    if path.exists():
        recover(path)
        file = h5py.File(path, "r+", libver="latest")
    else:
        file = h5py.File(path, "w", libver="latest")
        for name, columns in TABLES.items():
            # names and domains repeat: lightly packed, a row of them is a tenth of its size
            packed = {"compression": "gzip", "compression_opts": 1} if name in PACKED else {}
            shape: Any = {"maxshape": (None,), "chunks": (256,)}
            table = file.create_dataset(name, (0,), np.dtype(columns), **shape, **packed)
            for column, unit in UNITS[name].items():
                table.attrs[f"unit of {column}"] = unit
        file.attrs["schema"] = SCHEMA
        file.attrs["created"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        file.attrs["seed"] = experiment.seed
        file.attrs["experiment"] = experiment.to_yaml()
        for package, number in package_versions().items():
            file.attrs[f"version of {package}"] = number
    file.swmr_mode = True
    return file


def package_versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _append(file: h5py.File, events: list[Event]) -> None:
    rows: dict[str, list[tuple[Any, ...]]] = {}
    blocks: dict[str, list[np.ndarray]] = {}
    for event in events:
        if isinstance(event, EpisodesEnded):
            for table, block in _blocks(event, file):
                blocks.setdefault(table, []).append(block)
            continue
        for table, row in _rows(event):
            rows.setdefault(table, []).append(row)
    for name, new in rows.items():
        blocks.setdefault(name, []).append(np.array([tuple(map(_encoded, row)) for row in new], file[name].dtype))
    for name, parts in blocks.items():
        table, added = file[name], np.concatenate(parts)
        start = len(table)
        table.resize(start + len(added), 0)
        table[start:] = added
        table.flush()


def _blocks(event: EpisodesEnded, file: h5py.File) -> list[tuple[str, np.ndarray]]:
    """An event of episodes as rows; a training has thousands of them in a second."""
    whole: dict[str, Any] = {"domain": event.domain.encode(), "step": event.step, "seed": np.asarray(event.seeds)}
    outcome = {"success": event.successes, "return": event.returns, "length": event.lengths}
    found = [("episodes", _block(file["episodes"].dtype, len(whole["seed"]), whole | outcome))]
    for key, values in event.randomization.items():
        for name, column in columns_of(key, np.asarray(values)):
            more = {"name": name.encode(), "value": column}
            found.append(("randomization", _block(file["randomization"].dtype, len(column), whole | more)))
    return found


def _block(dtype: np.dtype, count: int, columns: dict[str, Any]) -> np.ndarray:
    block = np.empty(count, dtype)
    for name, values in columns.items():
        block[name] = values
    return block


def _rows(event: Event) -> list[tuple[str, tuple[Any, ...]]]:
    if isinstance(event, MetricsLogged):
        return [
            ("metrics", (event.stage, name, event.units.get(name, ""), event.step, event.seconds, value))
            for name, value in event.values.items()
        ]
    if isinstance(event, Evaluated):
        return [
            (
                "evaluations",
                (event.stage, event.domain, event.step, event.episodes, event.seed, event.success, event.low,
                 event.high, event.mean_return, event.final),
            )
        ]  # fmt: skip
    if isinstance(event, DeviceSample):
        load = (event.cpu_percent, event.memory_mb, event.gpu_percent, event.gpu_memory_mb)
        return [("devices", (event.time, *load))]
    return []


def _encoded(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def columns_of(name: str, values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """What a term's values are logged as: one column, or one for each of its three numbers."""
    if values.ndim == 1:
        return [(name, values)]
    return [(f"{name}_{axis}", values[:, i]) for i, axis in enumerate("rgb" if name == "color" else "xyz")]


def recover(path: Path) -> None:
    """Makes a log that a killed process left open for writing an ordinary file again, with all that was flushed.

    Raises:
        DataError: the log is damaged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with opened(path) as old:
            if not old.swmr_mode:
                return
            with h5py.File(temporary, "w", libver="latest") as new:
                for name, value in old.attrs.items():
                    new.attrs[name] = value
                for name in TABLES:
                    old.copy(name, new)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """A log open for reading, whether it is being written or not.

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
    """Reads a run's log; works while the run goes on, and after it was killed.

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
    """Reads the episodes of a run's log, in the order of (domain, step, seed); works while the run goes on.

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
