"""The run thread: what waits in the queue, one session after the other, off the UI thread. It touches no widget."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QThread, Signal

from studio.errors import StudioError
from studio.events import Failed, StateChanged, Subscription
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.queue import Queue
from studio.run.queue_entry import Entry, Job
from studio.run.queue_worker import QueueWorker, RunnableSession, folder_of

STACK_BYTES = 64 * 2**20  # macOS gives secondary threads 512 kB, too little for torch's compiler

OpenSession = Callable[[Job, Registry, Channels, Path], RunnableSession]


def open_session(job: Job, registry: Registry, channels: Channels, runs_folder: Path) -> RunnableSession:
    """Return a new session of an experiment, one that goes on with a run, or one that decides a comparison's pairs.

    Raises:
        StudioError: the folder cannot be resumed.
    """
    from studio.run.decide import DecisionSession  # loads torch: only here, on the run thread
    from studio.run.session import Session

    if job.decides:
        return DecisionSession(job.experiment, registry, channels, runs_folder)
    if job.folder is not None:
        return Session.resume(job.folder, registry, channels, job.iterations)
    return Session(job.experiment, registry, channels, runs_folder)


class RunThread(QThread):
    """Runs the queue until nothing waits. Its methods may be called from any thread.

    Args:
        queue: what waits.
        jobs: are added before all that waits.
        batch: name of the comparison that they are of.
    """

    job_started = Signal(int, int, object)  # its place in the queue from 0, how many there are, Job
    job_ended = Signal(object)  # the run folder, None where none was made

    def __init__(
        self,
        queue: Queue,
        registry: Registry,
        channels: Channels,
        parent: QObject | None = None,
        open_session: OpenSession = open_session,
        jobs: Sequence[Job] = (),
        batch: str = "",
    ) -> None:
        super().__init__(parent)
        self.setObjectName("run")
        self.setStackSize(STACK_BYTES)
        self._queue, self._registry, self._channels = queue, registry, channels
        self._open_session, self._jobs, self._batch = open_session, jobs, batch
        self._heard: Subscription | None = None
        self.is_leaving = False
        self._worker = QueueWorker(
            queue, self._open, lambda session: session.run(), self._started, self._ended, self._announce
        )
        # from any thread: stop with a checkpoint and hold the queue; pause after the present iteration
        self.stop = self._worker.hold

    def run(self) -> None:
        """Run what waits. The others still run where one fails; a stop holds the queue."""
        try:
            if self._jobs:
                self._queue.add(self._jobs, self._batch, first=True, start=True)
            else:
                self._queue.set_going(True)
            self._worker.run()
        except StudioError as error:  # of the queue's file
            self._channels.events.publish(Failed(error.message, error.field, error.remedy, ""))

    def leave(self) -> None:
        """Stop with a checkpoint; at the next start the queue goes on."""
        self.is_leaving = True
        self._worker.leave()

    def pause(self) -> None:
        """Ask the session to pause after its present iteration."""
        self._worker.set_paused(True)

    def unpause(self) -> None:
        """Let a paused session continue."""
        self._worker.set_paused(False)

    def _open(self, entry: Entry) -> RunnableSession:
        return self._open_session(self._queue.job_of(entry), self._registry, self._channels, self._queue.runs_folder)

    def _started(self, entry: Entry) -> None:
        self._heard = self._channels.events.subscribe()
        ids = [other.id for other in self._queue.entries()]
        self.job_started.emit(ids.index(entry.id), len(ids), self._queue.job_of(entry))

    def _ended(self, _entry: Entry, folder: Path | None) -> None:
        if self._heard is not None:
            self._channels.events.unsubscribe(self._heard)
        self.job_ended.emit(folder)

    def _announce(self, entry: Entry, session: RunnableSession | None, error: Exception) -> None:
        """Publish the failure where the session could not do so itself (it may have failed while being made)."""
        published = self._heard.drain() if self._heard is not None else []
        publish = self._channels.events.publish
        if not any(isinstance(event, Failed) for event in published):
            known = isinstance(error, StudioError)
            publish(
                Failed(
                    message=error.message if isinstance(error, StudioError) else f"{type(error).__name__}: {error}",
                    field=error.field if isinstance(error, StudioError) else "",
                    remedy=error.remedy if isinstance(error, StudioError) else "",
                    traceback="" if known else "".join(traceback.format_exception(error)),
                )
            )
        if not any(isinstance(event, StateChanged) and event.state == "failed" for event in published):
            folder = folder_of(session) or self._queue.path_of(entry)
            publish(StateChanged(run=str(folder) if folder else entry.experiment.name, state="failed"))
