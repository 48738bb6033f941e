"""The sessions that run in this window, one after the other on a thread of their own, and what comes back from them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from studio.events import StateChanged
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.queue import Queue
from studio.run.queue_entry import Job
from widgets.runs.thread import OpenSession, RunThread

DRAIN_MS = 33
PROGRESS_EVERY = 3  # ticks of the drain
ENDS = ("stopped", "finished", "failed")


class Sessions(QObject):
    """Runs what waits in a queue, from when it is started until nothing waits.

    Attributes:
        state: idle, preparing, running, paused, stopping, stopped, finished or failed.
    """

    events = Signal(list)  # list[Event] drained from the session's channel, at most 30 times a second
    progress = Signal(object)  # Progress, the latest
    running_changed = Signal(bool)  # a session was started, or the last one ended
    state_changed = Signal(str)
    job_changed = Signal(int, int, object)  # which of how many runs in the queue starts: Job
    run_changed = Signal()  # a run was made, or its state is another
    job_ended = Signal()
    ended = Signal(bool)  # nothing runs any more; whether the window is about to be closed

    def __init__(
        self, queue: Queue, registry: Registry, channels: Channels, open_session: OpenSession, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.state = "idle"
        self._queue, self._registry, self._channels, self._open_session = queue, registry, channels, open_session
        self._thread: RunThread | None = None
        self._subscription = channels.events.subscribe()
        self._progress_version = self._tick = 0
        self._timer = QTimer(self)
        self._timer.setInterval(DRAIN_MS)
        self._timer.timeout.connect(self._drain)
        self._timer.start()

    @property
    def is_running(self) -> bool:
        """A session is at work (paused counts)."""
        return self._thread is not None

    def start(self, jobs: Sequence[Job] = (), batch: str = "") -> None:
        """Run jobs, and then what waits in the queue. Nothing must run yet.

        Args:
            batch: name of the comparison that the jobs are of.
        """
        thread = RunThread(self._queue, self._registry, self._channels, self, self._open_session, jobs, batch)
        thread.job_started.connect(self.job_changed)
        thread.job_ended.connect(self._job_over)
        thread.finished.connect(self._thread_over)
        self._thread = thread
        self._set_state("preparing")
        self.running_changed.emit(True)
        thread.start()

    def stop(self) -> None:
        """Ask the running session to stop with a checkpoint, and hold the queue."""
        if self._thread is not None:
            self._set_state("stopping")
            self._thread.stop()

    def leave(self) -> None:
        """Ask the running session to stop with a checkpoint; at the next start the queue goes on with it."""
        if self._thread is not None:
            self._set_state("stopping")
            self._thread.leave()

    def pause(self) -> None:
        """Ask the running session to pause."""
        if self._thread is not None:
            self._thread.pause()

    def unpause(self) -> None:
        """Let a paused session go on."""
        if self._thread is not None:
            self._thread.unpause()

    def close(self) -> None:
        """Leave the session, and wait for its end."""
        self._timer.stop()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.leave()
            thread.wait()
        self._channels.events.unsubscribe(self._subscription)

    def _job_over(self, _folder: object) -> None:
        self._drain()  # the session's last words come before the news that it ended
        self.job_ended.emit()

    def _thread_over(self) -> None:
        if self._thread is None:
            return
        thread, self._thread = self._thread, None
        thread.wait()
        thread.deleteLater()
        self._drain()
        if self.state not in ("finished", "failed"):
            self._set_state("stopped")
        self.running_changed.emit(False)
        self.ended.emit(thread.is_leaving)

    def _set_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.state_changed.emit(state)

    def _drain(self) -> None:
        events = self._subscription.drain()
        for event in events:
            if isinstance(event, StateChanged):
                if self.state != "stopping" or event.state in ENDS:
                    self._set_state(event.state)
                self.run_changed.emit()
        if events:
            self.events.emit(events)
        version, progress = self._channels.progress.get()
        # ten times a second is enough for the eye, and every repaint costs training some of the interpreter
        self._tick += 1
        if version != self._progress_version and self._tick % PROGRESS_EVERY == 0:
            self._progress_version = version
            self.progress.emit(progress)
