"""Runs the entries of a queue one after the other: in the window's run thread, and on the command line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from studio.errors import Stopped
from studio.run.queue import Queue
from studio.run.queue_entry import Entry, State

WATCH_SECONDS = 0.5  # between two looks at what was asked of a running entry


class RunnableSession(Protocol):
    """What is needed of a session; :class:`studio.run.session.Session` is one."""

    @property
    def folder(self) -> Path:
        """Return the run folder. Raises AssertionError before it has been made."""
        ...

    @property
    def state(self) -> str:
        """Return the state, after the end finished, stopped or failed."""
        ...

    def run(self) -> object: ...
    def stop(self) -> None: ...
    def pause(self) -> None: ...
    def unpause(self) -> None: ...


class QueueWorker:
    """Claims entries and runs them until none waits, the queue is held, or it is left.

    Args:
        queue: the queue.
        open_session: makes the session of an entry.
        drive: runs it (``Session.run``, with whatever the caller wants to do around it).
        started: is called before an entry runs.
        ended: is called after it, with its run's folder where one was made.
        failed: is called where it failed, with its session where one was made; the others still run.
    """

    def __init__(
        self,
        queue: Queue,
        open_session: Callable[[Entry], RunnableSession],
        drive: Callable[[RunnableSession], object],
        started: Callable[[Entry], object] = lambda entry: None,
        ended: Callable[[Entry, Path | None], object] = lambda entry, folder: None,
        failed: Callable[[Entry, RunnableSession | None, Exception], object] = lambda entry, session, error: None,
    ) -> None:
        self._queue, self._open_session, self._drive = queue, open_session, drive
        self._started, self._ended, self._failed = started, ended, failed
        self._lock = threading.Lock()
        self._session: RunnableSession | None = None
        self._leaving = self._holding = self._paused = False

    def run(self) -> None:
        """Run what waits. Raises DataError where the queue's file fails."""
        while not (self._leaving or self._holding):
            entry = self._queue.claim()
            if entry is None:
                return
            self._started(entry)
            self._ended(entry, self._one(entry))

    def hold(self) -> None:
        """Stop the running entry with a checkpoint, and hold the queue. From any thread."""
        self._holding = True
        self._stop()

    def leave(self) -> None:
        """Stop the running entry with a checkpoint; it and the queue go on when they are run again. From any thread."""
        self._leaving = True
        self._stop()

    def set_paused(self, paused: bool) -> None:
        """Ask the session to pause after its present iteration, or let it go on. From any thread."""
        with self._lock:
            self._paused = paused
            if self._session is not None:
                (self._session.pause if paused else self._session.unpause)()

    def _stop(self) -> None:
        with self._lock:
            if self._session is not None:
                self._session.stop()

    def _one(self, entry: Entry) -> Path | None:
        session: RunnableSession | None = None
        outcome, message = "failed", ""
        over = threading.Event()
        watch: threading.Thread | None = None
        try:
            session = self._open_session(entry)
            with self._lock:
                self._session = session
                if self._leaving or self._holding:
                    session.stop()
                elif self._paused:
                    session.pause()
            watch = threading.Thread(target=self._watch, args=(entry, session, over), name="queue", daemon=True)
            watch.start()
            self._drive(session)
            outcome = session.state
        except Stopped:
            outcome = "stopped"
        except Exception as error:
            message = str(error) or type(error).__name__
            self._failed(entry, session, error)
        except BaseException:  # Ctrl-C again: at once, without a checkpoint
            outcome, self._leaving = "stopped", True
            raise
        finally:
            over.set()
            if watch is not None:
                watch.join()
            with self._lock:
                self._session = None
            self._close(entry, session, outcome, message)
        return folder_of(session)

    def _close(self, entry: Entry, session: RunnableSession | None, outcome: str, message: str) -> None:
        folder = folder_of(session)
        if folder is not None:
            self._queue.note_folder(entry.id, folder)
        state: State = "finished" if outcome == "finished" else "stopped" if outcome == "stopped" else "failed"
        if state == "stopped" and self._leaving and not self._queue.request_of(entry.id):
            state = "waiting"
        self._queue.end(entry.id, state, message)
        if self._holding:
            self._queue.set_going(False)

    def _watch(self, entry: Entry, session: RunnableSession, over: threading.Event) -> None:
        """Note the run's folder as soon as there is one; stop the session where another program asks for it."""
        noted, seen = False, 0
        while not over.wait(WATCH_SECONDS):
            folder = folder_of(session)
            if folder is not None and not noted:
                self._queue.note_folder(entry.id, folder)
                noted = True
            stamp = self._queue.stamp()
            if stamp != seen:
                seen = stamp
                if self._queue.request_of(entry.id):
                    session.stop()


def folder_of(session: RunnableSession | None) -> Path | None:
    """Return the session's folder; None where it was not made, as when the runs folder cannot be written."""
    try:
        return Path(session.folder) if session is not None else None
    except AssertionError:  # the session has not come so far as to make one
        return None
