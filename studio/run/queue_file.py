"""The file of a queue: plain JSON, shared by programs of which any may be killed.

Every change is read, made and written whole under a lock, so that nothing is lost where one of them is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from studio.errors import DataError, ExperimentError
from studio.files import json_text, write_text
from studio.run.queue_entry import Entry

NAME, LOCK = "queue.json", ".queue.lock"
VERSION = 1
ATTEMPTS = 2  # programs that may end while they run an entry, before it counts as failed


@dataclass
class QueueContents:
    """What the file holds."""

    entries: list[Entry] = field(default_factory=list)
    going: bool = False
    next_id: int = 1

    def new_id(self) -> int:
        """Return a number that no entry has had."""
        self.next_id += 1
        return self.next_id - 1

    def to_json(self) -> str:
        """Return the text of the file."""
        rows = [entry.to_dict() for entry in self.entries]
        about = {"version": VERSION, "going": self.going, "next_id": self.next_id, "entries": rows}
        return json_text(about, indent=1)

    @classmethod
    def from_json(cls, text: str) -> QueueContents:
        """Read the text of the file; an entry whose program was killed becomes what it is now.

        Raises:
            ValueError, KeyError, TypeError, ExperimentError: it is no queue of this version.
        """
        raw: dict[str, Any] = json.loads(text)
        if raw["version"] != VERSION:
            raise ValueError("of another version")
        entries = [entry for entry in map(_as_it_is, map(Entry.from_dict, raw["entries"])) if entry is not None]
        return cls(entries, bool(raw["going"]), int(raw["next_id"]))


class QueueFile:
    """The queue's file in a runs folder. May be used from any thread and any process.

    Raises:
        DataError: from every method: the file is damaged, or cannot be read or written.
    """

    def __init__(self, runs_folder: Path) -> None:
        self._folder = runs_folder
        self.path = runs_folder / NAME

    def stamp(self) -> int:
        """Return what changes when the file is written; cheap."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    @contextlib.contextmanager
    def changing(self) -> Iterator[QueueContents]:
        """Hold the lock while the contents are changed, and write them where they are."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                kept = self.read()
                yield kept
                write_text(self.path, kept.to_json())
        except OSError as error:
            words = f"The queue cannot be written ({error.strerror or error})."
            raise DataError(words, str(self.path), "Choose another runs folder, or make room on the disk.") from None

    def read(self) -> QueueContents:
        """Return the contents; an empty queue where there is no file."""
        try:
            return QueueContents.from_json(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return QueueContents()
        except OSError as error:
            words = f"The queue cannot be read ({error.strerror})."
            raise DataError(words, str(self.path), "Check its permissions.") from None
        except (ValueError, KeyError, TypeError, ExperimentError):
            raise DataError("The queue's file is damaged.", str(self.path), "Move it away; the runs stay.") from None


def _as_it_is(entry: Entry) -> Entry | None:
    """Return an entry whose program was killed as what it is now; others as they are."""
    if entry.state != "running" or abs(created_at(entry.pid) - entry.born) < 2:  # the system's clock may have been set
        return entry
    if entry.request == "cancel":
        return None
    free = replace(entry, pid=0, request="")
    if entry.request == "stop":
        return replace(free, state="stopped")
    if entry.attempts >= ATTEMPTS:
        words = "The program ended while it ran, twice. Look at the run's log, then repeat it."
        return replace(free, state="failed", message=words)
    return replace(free, state="waiting")


def created_at(pid: int) -> float:
    """When a process was created (seconds since the epoch); 0 where there is none, or it is a zombie."""
    try:
        process = psutil.Process(pid) if pid else None
        if process is None or process.status() == psutil.STATUS_ZOMBIE:
            return 0.0
        return process.create_time()
    except psutil.Error:
        return 0.0
