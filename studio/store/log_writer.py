"""Writes a run's HDF5 log: one writer thread, many readers (SWMR).

The file's attributes carry schema version, experiment text, seed and versions.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import shutil
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from studio.errors import DataError
from studio.events import DeviceSample, EpisodesEnded, Evaluated, Event, Events, Logged, MetricsLogged
from studio.experiment import Experiment
from studio.store.log_reader import opened
from studio.store.log_tables import PACKED, SCHEMA, TABLES, UNITS, columns_of

FLUSH_SECONDS = 1.0
PATIENCE = 5.0  # s that a checkpoint waits for the log, on a disk that hardly answers
ROOM = 1024 * 1024  # bytes that must be free before the log is written
PACKAGES = ("torch", "mujoco", "numpy", "h5py", "peft", "gymnasium", "transfer-studio")


class RunLog:
    """Writes a session's events to ``log.h5`` from a thread of its own. Nothing but ``flush`` waits for it.

    Args:
        path: the file. An existing one is continued.
        events: the channel to listen to.
        experiment: what is being run; its text goes into the file.
    """

    def __init__(self, path: Path, events: Events, experiment: Experiment) -> None:
        self._events = events
        self._path, self._experiment = path, experiment
        self._subscription = events.subscribe()
        self._commands: queue.Queue[threading.Event | None] = queue.Queue()  # None: close; else set when written
        self._ready = threading.Event()
        self._failure: OSError | DataError | None = None
        self._thread = threading.Thread(target=self._write, name="run log", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Write what is left and close the file."""
        self._commands.put(None)
        self._thread.join()
        self._events.unsubscribe(self._subscription)

    def flush(self) -> None:
        """Write what was published so far, so that it outlasts a kill from now on."""
        written = threading.Event()
        self._commands.put(written)
        written.wait(PATIENCE)

    def _write(self) -> None:
        try:
            file = _create(self._path, self._experiment)
        except (OSError, DataError) as error:
            self._failure = error
            return
        finally:
            self._ready.set()
        reported = False
        closing = False
        with file:
            while not closing:
                written = None
                try:
                    written = self._commands.get(timeout=FLUSH_SECONDS)
                    closing = written is None
                except queue.Empty:
                    closing = False
                try:
                    _need_room(self._path)
                    _append(file, self._subscription.drain(1_000_000))
                # a full disk, a value that fits no column: training continues, and one sentence is logged
                except Exception as error:
                    if not reported:
                        text = f"The run log cannot be written ({error}). Free disk space."
                        self._events.publish(Logged("error", text))
                        reported = True
                if written is not None:
                    written.set()


def _need_room(path: Path) -> None:
    """Raise OSError on a nearly full disk: HDF5 cannot close a file it failed to write, and crashes at exit."""
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
    """Return the versions of the packages that a result depends on."""
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
    """Return an event of episodes as rows; a training has thousands of episodes a second."""
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


def recover(path: Path) -> None:
    """Turn a log that a killed process left open for writing into an ordinary file, with all that was flushed.

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
