"""Mean returns per context ω of a task family, recorded in training.

ω is the task's own context (a place, a velocity, a direction) and the randomized values that the policy observes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from studio.contracts import Task
from studio.experiment import Domain
from studio.rng import EpisodeRng
from studio.sim.episode_recorder import EpisodeRecorder
from studio.sim.simulation import BatchSimulation
from studio.sim.tasks import contexts
from studio.sim.world import World

Array = np.ndarray
FEW = 12  # up to so many values of a component get a curve each; ranges, and more values, are binned
BINS = 6
LATEST = 32  # episodes behind a mean
SAMPLES = 512  # contexts drawn to find out which values there are


@dataclass(frozen=True)
class Component:
    """One component of ω: its key, and its values or else its range."""

    key: str
    values: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @staticmethod
    def of(key: str, drawn: Array) -> Component:
        """Return the component that these values (n,) were drawn from."""
        values = np.unique(drawn.round(9))
        if len(values) <= FEW:
            return Component(key, tuple(values.tolist()))
        return Component(key, (), float(values[0]), float(values[-1]))

    @property
    def labels(self) -> list[str]:
        """Return a label for each of its values, or for each bin of its range."""
        name = self.key.removeprefix(contexts.PREFIX)
        if self.values:
            return [f"{name} {value:.4g}" for value in self.values]
        return [f"{name} {one:.3g}..{other:.3g}" for one, other in pairwise(self._edges())]

    def places(self, column: Array) -> Array:
        """Return the index of the label that each value (n,) belongs to; values beyond the range belong to its ends."""
        if self.values:
            return np.asarray(np.abs(column[:, None] - np.array(self.values)).argmin(1))
        return np.searchsorted(self._edges()[1:-1], column, side="right")

    def _edges(self) -> list[float]:
        return list(np.linspace(self.low, self.high, BINS + 1).tolist())


def components(domain: Domain, task: Task) -> list[Component]:
    """Return the components of ω in a domain: the task's context, and the observed randomization terms."""
    parts = []
    if task.context:
        drawn = contexts.draw(task, domain.contexts, EpisodeRng(range(SAMPLES)))
        parts = [Component.of(key, column) for key, column in contexts.named(task, drawn).items()]
    for term in domain.randomization:
        if term.observed and term.key not in {part.key for part in parts}:
            parts.append(Component(term.key, (), term.low, term.high))
    return parts


class ContextReturns(EpisodeRecorder):
    """Keeps the latest returns of each context, of whole episodes."""

    def __init__(self, world: World, parts: Sequence[Component]) -> None:
        super().__init__(world.num_envs, contexts.logged(world.domain, world.task))
        self._components = list(parts)
        self._latest: dict[str, deque[float]] = {label: deque(maxlen=LATEST) for part in parts for label in part.labels}

    def on_episode_end(self, world: BatchSimulation, ids: Array, successes: Array | None) -> None:
        super().on_episode_end(world, ids, successes)
        outcome = self.take()
        if outcome is None:
            return
        for part in self._components:
            column = np.asarray(outcome.randomization[part.key]).reshape(len(outcome.returns), -1)[:, 0]
            labels = part.labels
            for place, value in zip(part.places(column).tolist(), outcome.returns.tolist(), strict=True):
                self._latest[labels[place]].append(value)

    def metrics(self) -> dict[str, float]:
        """Return ``return/<context>``: means over the latest episodes of each context that had any."""
        return {f"return/{label}": float(np.mean(found)) for label, found in self._latest.items() if found}

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next metrics depend on."""
        whole = {"returns": self._returns.tolist(), "lengths": self._lengths.tolist()}
        return whole | {"latest": {label: list(found) for label, found in self._latest.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._returns[:], self._lengths[:] = state["returns"], state["lengths"]
        for label, found in state["latest"].items():
            self._latest[label].clear()
            self._latest[label].extend(float(value) for value in found)
