"""One identification off the UI thread: record or read, identify, simulate before and after. No Qt in here."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studio.errors import Stopped
from studio.experiment import Domain
from studio.registry import Registry

if TYPE_CHECKING:
    from studio.sysid import Estimate, Trajectories


@dataclass(frozen=True)
class Outcome:
    """What an identification found, and the curves that show it."""

    domain: Domain
    method: str
    recordings: Trajectories
    before: np.ndarray  # (n, T + 1, nq), the model as it is
    after: np.ndarray  # (n, T + 1, nq), under the estimates
    names: tuple[str, ...]  # of the coordinates
    found: dict[str, Estimate]
    ranges: dict[str, tuple[float, float]]  # what was searched
    truth: dict[str, float] | None  # where it was recorded here with values of the person's own
    misfit: tuple[float, float]  # before and after, in units of the sensors' noise
    seconds: float


class IdentificationJob:
    """Runs once. ``share`` and ``stage`` may be read from any thread while it does."""

    def __init__(
        self,
        domain: Domain,
        registry: Registry,
        method: str,
        *,
        hidden: dict[str, float] | None,
        dataset: Path | None,
        seed: int,
    ) -> None:
        self._domain, self._registry, self._method = domain, registry, method
        self._hidden, self._dataset, self._seed = hidden, dataset, seed
        self._stopping = threading.Event()
        self.share, self.stage = 0.0, "record"

    def stop(self) -> None:
        """End the work at its next step with :class:`studio.errors.Stopped`."""
        self._stopping.set()

    def run(self) -> Outcome:
        """Raise StudioError where something does not fit, Stopped where a person ended it."""
        import torch

        from studio.sim.domains import resolve
        from studio.sysid import (
            FIELDS,
            Ranges,
            chosen,
            identify,
            misfit,
            plant_for,
            read_recordings,
            record,
        )

        torch.set_num_threads(1)  # the window needs the other core
        robot = resolve(self._domain, self._registry)
        if self._dataset is not None:
            recordings = read_recordings(self._dataset)
        else:
            recordings = record(robot, self._hidden, None, self._seed, tick=self._tick)
        self.stage, self.share = "identify", 0.0
        started = time.perf_counter()
        found = identify(robot, recordings, FIELDS, method=self._method, seed=self._seed, tick=self._tick)
        seconds = time.perf_counter() - started
        self.stage = "compare"
        plant, recordings = plant_for(robot, recordings)
        values = chosen(found)
        ranges = Ranges.of(FIELDS, plant.model)
        searched = {n: (float(low), float(high)) for n, low, high in zip(FIELDS, ranges.low, ranges.high, strict=True)}
        return Outcome(
            domain=self._domain,
            method=self._method,
            recordings=recordings,
            before=plant.simulated(recordings, {}).qpos,
            after=plant.simulated(recordings, values).qpos,
            names=plant.coordinate_names(),
            found=found,
            ranges=searched,
            truth=self._hidden if self._dataset is None else None,
            misfit=(misfit(plant, recordings, {}), misfit(plant, recordings, values)),
            seconds=seconds,
        )

    def _tick(self, share: float) -> None:
        self.share = share
        if self._stopping.is_set():
            raise Stopped
