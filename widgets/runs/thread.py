"""The run thread: one session after the other, off the UI thread. It touches no widget."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject, QThread, Signal

from studio.errors import Stopped, StudioError
from studio.events import Failed, StateChanged, Subscription
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels

STACK_BYTES = 64 * 2**20  # macOS gives secondary threads 512 kB, too little for torch's compiler


@dataclass(frozen=True)
class Job:
    """One session to be run: an experiment's own, or one that goes on with a run that exists.

    Args:
        experiment: what is run; of an existing run, its own.
        folder: the existing run; None makes a new one.
        iterations: a new, larger budget for the existing run, in all; None keeps its own.
    """

    experiment: Experiment
    folder: Path | None = None
    iterations: int | None = None


class RunnableSession(Protocol):
    """What the run thread needs of a session; :class:`studio.run.session.Session` is one."""

    @property
    def folder(self) -> Path:
        """Return the run folder. Raises AssertionError before it has been made."""
        ...

    def run(self) -> object: ...
    def stop(self) -> None: ...
    def pause(self) -> None: ...
    def unpause(self) -> None: ...


OpenSession = Callable[[Job, Registry, Channels, Path], RunnableSession]


def open_session(job: Job, registry: Registry, channels: Channels, runs_folder: Path) -> RunnableSession:
    """Return a new session of an experiment, or one that goes on with a run.

    Raises:
        StudioError: the folder cannot be resumed.
    """
    from studio.run.session import Session  # loads torch: only here, on the run thread

    if job.folder is not None:
        return Session.resume(job.folder, registry, channels, job.iterations)
    return Session(job.experiment, registry, channels, runs_folder)


class RunThread(QThread):
    """Runs jobs in order. Stop, pause and unpause may be called from any thread."""

    job_started = Signal(int, int, object)  # index from 0, how many, Job
    job_ended = Signal(object)  # the run folder, None where none was made

    def __init__(
        self,
        jobs: Sequence[Job],
        registry: Registry,
        channels: Channels,
        runs_folder: Path,
        parent: QObject | None = None,
        open_session: OpenSession = open_session,
    ) -> None:
        super().__init__(parent)
        self._open_session = open_session
        self.setObjectName("run")
        self.setStackSize(STACK_BYTES)
        self._jobs = list(jobs)
        self._registry, self._channels, self._runs_folder = registry, channels, runs_folder
        self._lock = threading.Lock()
        self._session: RunnableSession | None = None
        self._stop = False
        self._paused = False
        self.left = len(self._jobs)  # jobs that have not ended, or were stopped

    def run(self) -> None:
        """Run the jobs in order. The others still run where one fails; a stop ends them all."""
        for index, job in enumerate(self._jobs):
            if self._stop:
                return
            self.job_started.emit(index, len(self._jobs), job)
            folder = self._one(job)
            self.left -= not self._stop
            self.job_ended.emit(folder)

    def stop(self) -> None:
        """Ask the session to stop with a checkpoint; no further job is started."""
        with self._lock:
            self._stop = True
            if self._session is not None:
                self._session.stop()

    def pause(self) -> None:
        """Ask the session to pause after its present iteration."""
        self._set_paused(True)

    def unpause(self) -> None:
        """Let a paused session continue."""
        self._set_paused(False)

    def _set_paused(self, paused: bool) -> None:
        with self._lock:
            self._paused = paused
            if self._session is not None:
                (self._session.pause if paused else self._session.unpause)()

    def _one(self, job: Job) -> Path | None:
        session: RunnableSession | None = None
        heard = self._channels.events.subscribe()
        try:
            session = self._open_session(job, self._registry, self._channels, self._runs_folder)
            with self._lock:
                self._session = session
                if self._stop:
                    session.stop()
                elif self._paused:
                    session.pause()
            session.run()
        except Stopped:
            pass
        except Exception as error:
            self._announce(error, job, session, heard)
        finally:
            self._channels.events.unsubscribe(heard)
            with self._lock:
                self._session = None
        return folder_of(session)

    def _announce(self, error: Exception, job: Job, session: RunnableSession | None, heard: Subscription) -> None:
        """Publish the failure where the session could not do so itself (it may have failed while being made)."""
        published = heard.drain()
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
            folder = folder_of(session) or job.folder
            publish(StateChanged(run=str(folder) if folder else job.experiment.name, state="failed"))


def folder_of(session: RunnableSession | None) -> Path | None:
    """Return the session's folder; None where it was not made, as when the runs folder cannot be written."""
    try:
        return Path(session.folder) if session is not None else None
    except AssertionError:  # the session has not come so far as to make one
        return None
