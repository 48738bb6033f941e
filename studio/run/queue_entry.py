"""What waits in a queue: one run, as it is kept in the queue's file, and as it is given to what runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from studio.experiment import Experiment

State = Literal["waiting", "running", "finished", "failed", "stopped", "skipped"]
PENDING = ("waiting", "skipped")  # these can be moved
ENDED = ("finished", "failed", "stopped")


@dataclass(frozen=True)
class Entry:
    """One run in the queue.

    Args:
        id: its number, never used again in this queue.
        plan: its experiment as JSON; :attr:`experiment` is the experiment.
        batch: name of the comparison that it is of; empty: a single run.
        state: what becomes of it. A waiting entry with a folder is resumed.
        folder: name of its run's folder, or its path where that lies elsewhere; empty: it has none yet.
        iterations: a larger budget, in all, with which a run is continued; None: its own.
        pid: the process that runs it; ``born`` is when that was created (seconds since the epoch).
        since: when it was started (seconds since the epoch).
        seconds: how long it took in all its attempts, source policy and evaluation included.
        request: what was asked of the program that runs it: to stop it, or to stop and drop it.
        attempts: how often it was started without being ended.
        message: why it failed.
        decides: it is the comparison's decisions, see :mod:`studio.run.decide`; its plan is the comparison's.
    """

    id: int
    plan: str
    batch: str = ""
    state: State = "waiting"
    folder: str = ""
    iterations: int | None = None
    pid: int = 0
    born: float = 0.0
    since: float = 0.0
    seconds: float = 0.0
    request: Literal["", "stop", "cancel"] = ""
    attempts: int = 0
    message: str = ""
    decides: bool = False

    @property
    def experiment(self) -> Experiment:
        """The experiment, read once."""
        return _experiment(self.plan)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as it is written to the file, its experiment as an object."""
        return asdict(self) | {"plan": json.loads(self.plan)}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Entry:
        """Read what :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError, ExperimentError: it is no entry, or its experiment is damaged.
        """
        entry = cls(**{**row, "plan": json.dumps(row["plan"])})
        _experiment(entry.plan)  # raises here rather than where it is first used
        return entry


@dataclass(frozen=True)
class Job:
    """What is to be run: an experiment's own session, or one that goes on with a run that exists.

    Args:
        experiment: what is run; of an existing run, its own.
        folder: the existing run; None makes a new one.
        iterations: a new, larger budget for the existing run, in all; None keeps its own.
        decides: it is no run: it decides the pairs of the experiment's comparison, once its runs have ended.
    """

    experiment: Experiment
    folder: Path | None = None
    iterations: int | None = None
    decides: bool = False


@lru_cache(maxsize=2000)
def _experiment(plan: str) -> Experiment:
    return Experiment.from_dict(json.loads(plan))
