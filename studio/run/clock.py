"""The session's clock and switches: training time without pauses, stop and pause from any thread."""

from __future__ import annotations

import threading
import time

from studio.errors import Stopped

POLL_SECONDS = 0.05


class Clock:
    """Counts seconds while it runs; ``tick`` is where a session can be held or stopped."""

    def __init__(self) -> None:
        self.offset = 0.0  # seconds before this process, for a resumed run
        self._start = time.monotonic()
        self._held = 0.0
        self._stop = threading.Event()
        self._pause = threading.Event()

    @property
    def seconds(self) -> float:
        """Training time so far, pauses excluded."""
        return self.offset + time.monotonic() - self._start - self._held

    @property
    def paused(self) -> bool:
        return self._pause.is_set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        self._stop.set()

    def pause(self) -> None:
        self._pause.set()

    def unpause(self) -> None:
        self._pause.clear()

    def hold(self) -> bool:
        """Whether a pause is asked for and no stop."""
        return self._pause.is_set() and not self._stop.is_set()

    def tick(self) -> None:
        """Wait while paused; raise Stopped once a stop was asked for."""
        if self.hold():
            start = time.monotonic()
            while self.hold():
                time.sleep(POLL_SECONDS)
            self._held += time.monotonic() - start
        if self._stop.is_set():
            raise Stopped
