"""Progress of a session on the terminal, and Ctrl-C."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any

from studio.errors import StudioError

STOPPED = 130  # exit status of what was stopped by Ctrl-C, as a shell's own
TICK_SECONDS = 0.2
LINE_SECONDS = 5.0  # between progress lines where they cannot be rewritten in place


class ProgressLine:
    """A progress line and the log's sentences on stderr; Ctrl-C, or a scheduler's SIGTERM, is a clean stop."""

    def __init__(self, total: int) -> None:
        self.total, self._index, self._name = total, 0, ""
        self._channels: Any = None
        self._events: Any = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._session: Any = None
        self._folder = ""  # of the present run, once it has one
        self._live = sys.stderr.isatty()
        self._line = ""  # what the progress line shows
        self._lock = threading.RLock()  # of stderr; Ctrl-C may come while this thread writes
        self.interrupted = False

    def __enter__(self) -> ProgressLine:
        self._old = {name: signal.signal(name, self._interrupt) for name in (signal.SIGINT, signal.SIGTERM)}
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._done.set()
        self._thread.join()
        for name, old in self._old.items():
            signal.signal(name, old)

    def channels(self, index: int, experiment: Any) -> Any:
        """Return new channels for the next session, which the progress line follows."""
        from studio.run.channels import Channels

        channels = Channels()
        self._index, self._name = index, experiment.name if experiment is not None else "resume"
        self._events, self._channels, self._folder = channels.events.subscribe(), channels, ""
        return channels

    def drive(self, session: Any) -> None:
        """Run a session; the first Ctrl-C stops it cleanly, the second at once. Raises StudioError."""
        from studio.run.failures import unexpected_error

        self._session = session
        if self.interrupted:
            session.stop()
        try:
            session.run()
        except StudioError:
            raise
        except Exception as error:
            self._print_events()  # where the run is kept, among other things
            if os.environ.get("TRANSFER_STUDIO_DEBUG"):
                self.say("".join(traceback.format_exception(error)))
            raise unexpected_error(error, self._folder) from error
        finally:
            self._print_events()

    def failed(self, session: Any, error: Exception) -> None:
        """Print which session failed, while others run on."""
        text, kept = str(error), self._folder
        where = f" The run is kept in {kept}." if kept and kept not in text else ""
        self.say(f"transfer-studio: '{session.experiment.name}' failed: {text}{where}")

    def say(self, text: str) -> None:
        """Print a line of its own; the progress line makes room and comes back below."""
        with self._lock:
            print(f"\r\033[K{text}" if self._live else text, file=sys.stderr, flush=True)
            self._line = "" if self._live else self._line

    def _interrupt(self, *_: Any) -> None:
        if self.interrupted or self._session is None:
            raise KeyboardInterrupt
        self.interrupted = True
        self.say("\nStopping after this step (Ctrl-C again: at once) …")
        self._session.stop()

    def _print_events(self) -> None:
        from studio.events import Logged, StateChanged

        with self._lock:
            for event in self._events.drain():
                if isinstance(event, Logged):
                    self.say(event.text)
                elif isinstance(event, StateChanged):
                    self._folder = event.run

    def _show(self) -> None:
        """Print what is logged and the progress; where the line cannot be rewritten, a new one every few seconds."""
        due = time.monotonic() + LINE_SECONDS
        while not self._done.wait(TICK_SECONDS):
            if self._channels is None:
                continue
            self._print_events()
            if self._live or time.monotonic() >= due:
                due = time.monotonic() + LINE_SECONDS
                self._progress()
        if self._live:
            print("\r\033[K", end="", file=sys.stderr)

    def _progress(self) -> None:
        _, progress = self._channels.progress.get()
        if progress is None:
            return
        filled = round(20 * progress.fraction)
        bar = "█" * filled + "·" * (20 - filled)
        left = ""
        if math.isfinite(progress.seconds_left):
            left = f"  {progress.seconds_left:.0f} s left"
        elif math.isfinite(progress.stage_seconds_left):
            left = f"  {progress.stage_seconds_left:.0f} s left in this stage"
        count = f"[{self._index + 1}/{self.total}] " if self.total > 1 else ""
        steps = f" {progress.step}/{progress.total}" if progress.total else ""
        line = f"{count}{self._name}  {bar} {progress.stage}{steps}{left}"
        with self._lock:
            if line != self._line:
                print(
                    f"\r\033[K{line}" if self._live else line,
                    end="" if self._live else "\n",
                    file=sys.stderr,
                    flush=True,
                )
                self._line = line


class ShareLine:
    """Progress on stderr, at most four times a second on a terminal and every five seconds elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = time.monotonic()

    def clear(self) -> None:
        """Take the line away from a terminal."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def __call__(self, share: float) -> None:
        live = sys.stderr.isatty()
        now = time.monotonic()
        if now - self._last < (0.25 if live else 5.0):
            return
        self._last = now
        print(f"\r\033[K{self._name}  {share:.0%}" if live else f"{self._name} {share:.0%}", end="" if live else "\n",
              file=sys.stderr, flush=True)  # fmt: skip
