"""What a session lets others know: events and progress on its channels, and run.json on disk."""

from __future__ import annotations

import time
from pathlib import Path

from studio.events import DeviceSample, Event, Logged, StageChanged, StateChanged
from studio.experiment import Experiment
from studio.run import devices
from studio.run.channels import Channels
from studio.run.clock import Clock
from studio.run.failures import failure_event
from studio.run.pipeline import Pipeline
from studio.store.log_writer import RunLog
from studio.store.runs import Status

HEARTBEAT_SECONDS = 5.0


class Reporter:
    """Publishes state, stages and progress of a session, and keeps its run.json.

    Args:
        channels: where events and progress go.
        clock: the session's; each report is a place where the session can be held or stopped.
        folder: the run's, where it exists already.
    """

    def __init__(self, channels: Channels, clock: Clock, folder: Path | None = None) -> None:
        self.channels, self.clock, self.folder = channels, clock, folder
        self.state = "preparing"
        self.status = Status()
        self.pipeline = Pipeline()
        self._log: RunLog | None = None
        self._sampler: devices.Sampler | None = None
        self._last_heartbeat = 0.0

    def open_log(self, experiment: Experiment) -> None:
        """Start the run log. Raises OSError or DataError where it cannot be written."""
        assert self.folder is not None, "the run has no folder yet"
        self._log = RunLog(self.folder / "log.h5", self.channels.events, experiment)

    def flush_log(self) -> None:
        """Write what was published so far into the run log."""
        if self._log is not None:
            self._log.flush()

    def watch_devices(self) -> None:
        """Start to sample CPU, memory and GPU."""
        self._sampler = devices.Sampler(self._sampled)

    def close(self) -> None:
        """Write what is left of the log, and end the threads."""
        if self._sampler is not None:
            self._sampler.close()
        if self._log is not None:
            self._log.close()

    def publish(self, event: Event) -> None:
        """Send an event to whoever listens, the run log among them."""
        self.channels.events.publish(event)

    def say(self, text: str, level: str = "info") -> None:
        """Log a sentence."""
        self.publish(Logged(level, text))

    def set_state(self, state: str) -> None:
        """Enter a state and write it to run.json. Raises OSError where the first one cannot be written."""
        assert self.folder is not None, "the run has no folder yet"
        self.state = state
        self.publish(StateChanged(str(self.folder), state))
        if state == "preparing":
            self.status.save(self.folder, state, self.pipeline.stage)
        else:
            self.beat()

    def fail(self, error: Exception) -> None:
        """Publish what ended the session, and keep it in run.json where there is a run folder."""
        failed = failure_event(error)
        self.publish(failed)
        if self.folder is not None:
            self.status.put(error={"message": failed.message, "field": failed.field, "remedy": failed.remedy})
            self.set_state("failed")

    def enter(self, stage: str, cached: bool = False) -> None:
        """Enter a stage of the pipeline; ``cached``: its result exists already."""
        self.pipeline.enter(stage, cached)
        self.publish(StageChanged(stage, cached, self.pipeline.stages))
        self.advance(0, 0)
        self.clock.tick()

    def count(self, made: int, wanted: int) -> None:
        """Report progress of long work in a stage; raises Stopped once the session is to end."""
        self.advance(made, wanted)
        self.clock.tick()

    def advance(self, step: int, total: int) -> None:
        """Report the stage's progress, and wait while the session is paused."""
        self.channels.progress.set(self.pipeline.progress(step, total, self.clock.seconds))
        if self.clock.paused and self.state == "running":
            self.set_state("paused")
            self.clock.tick()
            self.set_state("running")

    def beat(self) -> None:
        """Write run.json with a fresh heartbeat."""
        assert self.folder is not None, "the run has no folder yet"
        self._last_heartbeat = time.monotonic()
        if self._sampler is not None:
            self.status.note(peak_memory_mb=self._sampler.peak_memory_mb)
        try:
            self.status.save(self.folder, self.state, self.pipeline.stage)
        except OSError as error:  # a full disk must not end a training that can still finish
            self.say(f"run.json cannot be written ({error.strerror}). Free disk space.", "error")

    def _sampled(self, sample: DeviceSample) -> None:
        self.publish(sample)
        if time.monotonic() - self._last_heartbeat > HEARTBEAT_SECONDS:
            self.beat()
