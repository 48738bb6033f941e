"""How a session speaks: Snapshot (the latest wins) and Event (ordered, never lost).

Neither side waits for the other. Readers poll at their own pace; publishing costs a lock and an append.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Snapshot(Generic[T]):
    """The latest value of something. Older values are dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value: T | None = None
        self._version = 0

    def set(self, value: T) -> None:
        with self._lock:
            self._value = value
            self._version += 1

    def get(self) -> tuple[int, T | None]:
        """(version, value); version 0 means nothing yet."""
        with self._lock:
            return self._version, self._value


@dataclass(frozen=True)
class Event:
    """Something that happened, at ``time`` (seconds since the epoch)."""

    time: float = field(default_factory=time.time, kw_only=True)


@dataclass(frozen=True)
class StateChanged(Event):
    """preparing, running, paused, stopped, finished, failed."""

    run: str
    state: str


@dataclass(frozen=True)
class StageChanged(Event):
    """A stage was entered: source, pretrain, adapt (or the strategy's own stages), evaluate, export. ``pipeline``: all
    of them, in order. ``cached``: nothing had to be done."""

    stage: str
    cached: bool = False
    pipeline: tuple[str, ...] = ()


@dataclass(frozen=True)
class MetricsLogged(Event):
    """One iteration's numbers. ``seconds`` counts training time from the session's start, pauses excluded."""

    stage: str
    step: int
    seconds: float
    values: Mapping[str, float]
    units: Mapping[str, str]


@dataclass(frozen=True)
class Evaluated(Event):
    """A score. ``domain`` is source or target; ``step`` the iteration of the policy that was scored.

    ``success``, ``low`` and ``high`` are of ``measure``: the share of successes, or the return where the task has none.
    """

    stage: str
    domain: str
    step: int
    episodes: int
    success: float
    low: float
    high: float
    mean_return: float
    final: bool
    seed: int = 0
    measure: str = "success"


@dataclass(frozen=True)
class EpisodesEnded(Event):
    """Episodes of an evaluation, one row each, with the randomization that was drawn for them; or of a training, whose
    ``domain`` is train."""

    domain: str
    step: int
    seeds: Any
    returns: Any
    lengths: Any
    successes: Any
    randomization: Mapping[str, Any]


@dataclass(frozen=True)
class CheckpointSaved(Event):
    stage: str
    step: int
    path: str


@dataclass(frozen=True)
class Exported(Event):
    path: str


@dataclass(frozen=True)
class Logged(Event):
    """A line for the log panel. Level: debug, info, warning, error."""

    level: str
    text: str


@dataclass(frozen=True)
class Failed(Event):
    """The session failed: one sentence a person can act on, and the traceback for who wants it."""

    message: str
    field: str
    remedy: str
    traceback: str


@dataclass(frozen=True)
class DeviceSample(Event):
    """Load of this process and machine; GPU values are NaN where there is none."""

    cpu_percent: float
    memory_mb: float
    gpu_percent: float
    gpu_memory_mb: float


@dataclass(frozen=True)
class Progress:
    """Where the session is: step of the stage's ``total`` (0: not known yet), fraction of the stage and of the whole,
    seconds left of the whole and of the stage (NaN while unknown)."""

    stage: str
    step: int
    total: int
    stage_fraction: float
    fraction: float
    seconds_left: float
    stage_seconds_left: float = math.nan


class Subscription:
    """One reader's queue of events."""

    def __init__(self) -> None:
        self._queue: deque[Event] = deque()

    def put(self, event: Event) -> None:
        self._queue.append(event)

    def drain(self, limit: int = 10_000) -> list[Event]:
        """Take what has come since the last call, oldest first."""
        taken: list[Event] = []
        while self._queue and len(taken) < limit:
            taken.append(self._queue.popleft())
        return taken


class Events:
    """Publishes to every subscription; what is published before a subscription exists is not kept."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._lock = threading.Lock()

    def subscribe(self) -> Subscription:
        subscription = Subscription()
        with self._lock:
            self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def publish(self, event: Event) -> None:
        with self._lock:
            readers = list(self._subscriptions)
        for reader in readers:
            reader.put(event)
