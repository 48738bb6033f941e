"""The queue: runs that wait to be run one after the other, in one file of the runs folder.

The window and the command line share it; no entry is run by two programs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from studio.errors import DataError
from studio.files import json_text
from studio.run.queue_entry import ENDED, PENDING, Entry, Job, State
from studio.run.queue_file import QueueContents, QueueFile, created_at


class Queue:
    """The queue of a runs folder. Every method may be called from any thread and any process.

    Raises:
        DataError: from every method: the file is damaged, or cannot be read or written.
    """

    def __init__(self, runs_folder: Path) -> None:
        self.runs_folder = Path(runs_folder)
        self._file = QueueFile(self.runs_folder)
        self.path = self._file.path

    # -- reading -------------------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """Return all entries, in order, as they really are: what a killed program ran waits to be resumed."""
        return self._file.read().entries

    @property
    def is_going(self) -> bool:
        """Whether the queue was started and neither held nor run to its end."""
        return self._file.read().going

    def stamp(self) -> int:
        """Return what changes when the file is written; cheap."""
        return self._file.stamp()

    def path_of(self, entry: Entry) -> Path | None:
        """Return the folder of an entry's run; None where it has none yet."""
        return self.runs_folder / entry.folder if entry.folder else None

    def job_of(self, entry: Entry) -> Job:
        """Return what is to be run for an entry."""
        return Job(entry.experiment, self.path_of(entry), entry.iterations, entry.decides)

    # -- changes by a person -------------------------------------------------------------------------------------

    def add(self, jobs: Iterable[Job], batch: str = "", first: bool = False, start: bool = False) -> list[Entry]:
        """Add runs at the end, or before all that wait. Where nothing waits or runs, what has ended is forgotten.

        Args:
            jobs: what to run. A run that is in the queue already takes its new place.
            batch: name of the comparison.
            first: before all that wait.
            start: the queue is going from now on, see :meth:`set_going`.
        """
        jobs = list(jobs)
        with self._file.changing() as kept:
            running = {entry.folder for entry in kept.entries if entry.state == "running"}
            continued = {self._name(job.folder) for job in jobs if job.folder is not None}
            if all(entry.state in ENDED for entry in kept.entries):
                kept.entries = []
            kept.entries = [e for e in kept.entries if e.state == "running" or e.folder not in continued]
            made = [
                Entry(
                    kept.new_id(),
                    json_text(one.experiment.plain()),
                    batch,
                    folder=self._name(one.folder) if one.folder else "",
                    iterations=one.iterations,
                    decides=one.decides,
                )
                for one in jobs
                if one.folder is None or self._name(one.folder) not in running
            ]
            at = next((i for i, entry in enumerate(kept.entries) if entry.state in PENDING), len(kept.entries))
            kept.entries[at if first else len(kept.entries) :] = made + (kept.entries[at:] if first else [])
            kept.going = kept.going or start
        return made

    def skip(self, ids: Iterable[int]) -> None:
        """Pass over entries that wait; stop one that runs, with a checkpoint, so that the next one starts."""

        def skipped(entry: Entry) -> Entry:
            if entry.state == "running":
                return replace(entry, request=entry.request or "stop")
            return replace(entry, state="skipped") if entry.state == "waiting" else entry

        self._each(ids, skipped)

    def cancel(self, ids: Iterable[int]) -> None:
        """Take entries off the queue; one that runs is stopped first. Their runs stay where they are."""

        def cancelled(entry: Entry) -> Entry | None:
            return replace(entry, request="cancel") if entry.state == "running" else None

        self._each(ids, cancelled)

    def cancel_ended(self) -> None:
        """Take off what has ended."""
        with self._file.changing() as kept:
            kept.entries = [entry for entry in kept.entries if entry.state not in ENDED]

    def repeat(self, ids: Sequence[int], seed: int | None = None) -> None:
        """Let entries be run again: what was skipped waits again, what was stopped or failed is resumed, a finished one
        is added as a new run. With a ``seed`` each is added as a new run of that seed."""
        with self._file.changing() as kept:
            self._known(kept, ids)
            for place, entry in enumerate(list(kept.entries)):
                if entry.id not in ids:
                    continue
                if seed is not None or entry.state == "finished":
                    plan = entry.plan if seed is None else json_text(entry.experiment.changed(seed=seed).plain())
                    kept.entries.append(Entry(kept.new_id(), plan, entry.batch, decides=entry.decides))
                elif entry.state in ("stopped", "failed", "skipped"):
                    kept.entries[place] = replace(entry, state="waiting", attempts=0, message="", request="")

    def move(self, ids: Sequence[int], by: int) -> None:
        """Move entries that wait by so many places, in their order, up where negative; others keep their place."""
        with self._file.changing() as kept:
            self._known(kept, ids)
            slots = [i for i, entry in enumerate(kept.entries) if entry.state in PENDING]
            line = [kept.entries[i] for i in slots]
            step = 1 if by > 0 else -1
            for _ in range(min(abs(by), len(line))):
                order = range(len(line)) if step < 0 else reversed(range(len(line)))
                for i in order:  # one at the end holds back those of the chosen that touch it
                    j = i + step
                    if line[i].id in ids and 0 <= j < len(line) and line[j].id not in ids:
                        line[i], line[j] = line[j], line[i]
            for i, entry in zip(slots, line, strict=True):
                kept.entries[i] = entry

    def set_going(self, going: bool) -> None:
        """Let the queue go on, also after the program was closed and opened; or hold it."""
        if self.is_going != going:
            with self._file.changing() as kept:
                kept.going = going

    # -- what runs an entry --------------------------------------------------------------------------------------

    def claim(self) -> Entry | None:
        """Take the first entry that waits, for this process; None where none does or the queue is held."""
        with self._file.changing() as kept:
            if not kept.going:
                return None
            for place, entry in enumerate(kept.entries):
                if entry.state == "waiting":
                    taken = replace(
                        entry,
                        state="running",
                        pid=os.getpid(),
                        born=created_at(os.getpid()),
                        since=time.time(),
                        attempts=entry.attempts + 1,
                        message="",
                    )
                    kept.entries[place] = taken
                    return taken
            kept.going = any(entry.state == "running" for entry in kept.entries)  # another program may be killed yet
        return None

    def note_folder(self, id: int, folder: Path) -> None:
        """Note where the run of an entry is, so that it can be resumed."""
        self._each([id], lambda entry: replace(entry, folder=self._name(folder)))

    def request_of(self, id: int) -> str:
        """Return what was asked of the program that runs an entry: stop, cancel, or nothing."""
        return next((entry.request for entry in self.entries() if entry.id == id), "cancel")

    def end(self, id: int, state: State, message: str = "") -> None:
        """Note how an entry ended. One that waits again is the first to be resumed."""

        def ended(entry: Entry) -> Entry | None:
            if entry.request == "cancel" and state != "finished":
                return None
            spent = entry.seconds + time.time() - entry.since
            return replace(entry, state=state, message=message, pid=0, request="", attempts=0, seconds=spent)

        self._each([id], ended)

    def _name(self, folder: Path) -> str:
        folder, parent = folder.absolute(), self.runs_folder.absolute()
        return str(folder.relative_to(parent) if folder.is_relative_to(parent) else folder)

    def _known(self, kept: QueueContents, ids: Iterable[int]) -> None:
        unknown = set(ids) - {entry.id for entry in kept.entries}
        if unknown:
            numbers = ", ".join(map(str, sorted(unknown)))
            remedy = "See the numbers with: transfer-studio queue list"
            raise DataError(f"The queue has no entry {numbers}.", str(self.path), remedy)

    def _each(self, ids: Iterable[int], change: Callable[[Entry], Entry | None]) -> None:
        wanted = set(ids)
        with self._file.changing() as kept:
            self._known(kept, wanted)
            changed = ((change(entry) if entry.id in wanted else entry) for entry in kept.entries)
            kept.entries = [entry for entry in changed if entry is not None]
