"""Returns for every context ω of a family of tasks: gathered while a world trains over them.

ω is the task's own (its goal, whatever that means: a place, a velocity, a direction), and the randomized values that a
policy observes.
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
from studio.sim.episode_recorder import EpisodeRecorder
from studio.sim.world import ALL, World

Array = np.ndarray
FEW = 12  # values of a component at most that have a curve each; of more, and of ranges, bins have
BINS = 6
LATEST = 32  # episodes behind a mean
SAMPLES, SAMPLED = 512, 64  # contexts drawn to find out what there are, and how many at once


@dataclass(frozen=True)
class Component:
    """One component of ω: its name, and the values it takes or else the ends of its range."""

    name: str
    values: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @staticmethod
    def of(name: str, drawn: Array) -> Component:
        """What a component looks like of which values (n,) have been drawn."""
        values = np.unique(drawn.round(9))
        if len(values) <= FEW:
            return Component(name, tuple(values.tolist()))
        return Component(name, (), float(values[0]), float(values[-1]))

    @property
    def labels(self) -> list[str]:
        """Of its values, or of the bins of its range."""
        if self.values:
            return [f"{self.name} {value:.4g}" for value in self.values]
        return [f"{self.name} {one:.3g}..{other:.3g}" for one, other in pairwise(self._edges())]

    def places(self, column: Array) -> Array:
        """Which label each value (n,) belongs to; what lies beyond the range belongs to its ends."""
        if self.values:
            return np.asarray(np.abs(column[:, None] - np.array(self.values)).argmin(1))
        return np.searchsorted(self._edges()[1:-1], column, side="right")

    def _edges(self) -> list[float]:
        return list(np.linspace(self.low, self.high, BINS + 1).tolist())


def context_names(task: Task | type[Task]) -> tuple[str, ...]:
    """Names of the task's own components."""
    named: tuple[str, ...] = tuple(getattr(task, "context", ()))
    return named or tuple(f"goal {axis}" for axis in "xyzabcdefghijklmnopqrstuvw"[: task.goal_width])


def observed_keys(domain: Domain) -> tuple[str, ...]:
    """Of the randomization terms whose values the policy is told."""
    return tuple(dict.fromkeys(term.key for term in domain.randomization if getattr(term, "observed", False)))


def components(domain: Domain, world: World) -> list[Component]:
    """What ω consists of in a domain, found by drawing episodes in a world of its own.

    Args:
        domain: as the policy would be told of it: with the goal observed, or terms.
        world: one of its simulations; not touched.
    """
    own = context_names(world.task) if domain.observation == "goal" else ()
    keys = observed_keys(domain)
    trial = World(domain, type(world.task)(), world.embodiment, SAMPLED, 1)
    drawn = []
    for first in range(0, SAMPLES, SAMPLED):
        trial.begin(np.arange(SAMPLED), range(first, first + SAMPLED))
        goals = np.asarray(trial.task.goal(trial, ALL)).reshape(SAMPLED, -1) if own else np.empty((SAMPLED, 0))
        columns = [*goals.T, *(np.asarray(trial.randomization[key]).reshape(SAMPLED, -1)[:, 0] for key in keys)]
        drawn.append(np.stack(columns, 1).copy() if columns else np.empty((SAMPLED, 0)))
    trial.close()
    return [Component.of(name, column) for name, column in zip((*own, *keys), np.concatenate(drawn).T, strict=True)]


class ContextRecorder(EpisodeRecorder):
    """Records a training's episodes with their contexts, and keeps the latest returns of each."""

    def __init__(self, world: World, parts: Sequence[Component]) -> None:
        keys = (*(term.key for term in world.domain.randomization), *(part.name for part in parts))
        super().__init__(world.num_envs, tuple(dict.fromkeys(keys)))
        self._world, self._components = world, list(parts)
        self._own = [name for name in context_names(world.task) if name in {part.name for part in parts}]
        self._latest: dict[str, deque[float]] = {label: deque(maxlen=LATEST) for part in parts for label in part.labels}

    def ended(
        self, ids: Array, seeds: Array, steps: Array, successes: Array | None, values: Mapping[str, Array]
    ) -> None:
        drawn: dict[str, Any] = dict(values)
        if self._own:
            goals = np.asarray(self._world.task.goal(self._world, ALL)).reshape(len(seeds), -1)
            drawn |= dict(zip(self._own, goals.T, strict=True))
        known = len(self._parts)
        super().ended(ids, seeds, steps, successes, drawn)
        for outcome in self._parts[known:]:
            for part in self._components:
                column = np.asarray(outcome.randomization[part.name]).reshape(len(outcome.returns), -1)[:, 0]
                labels = part.labels
                for place, value in zip(part.places(column).tolist(), outcome.returns.tolist(), strict=True):
                    self._latest[labels[place]].append(value)

    def metrics(self) -> dict[str, float]:
        """``return/<context>``: the mean of its latest episodes, where there were any."""
        return {f"return/{label}": float(np.mean(found)) for label, found in self._latest.items() if found}

    def state_dict(self) -> dict[str, Any]:
        """What the next metrics depend on."""
        whole = {"returns": self._returns.tolist(), "lengths": self._lengths.tolist()}
        return whole | {"latest": {label: list(found) for label, found in self._latest.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        self._returns[:], self._lengths[:] = state["returns"], state["lengths"]
        for label, found in state["latest"].items():
            self._latest[label].clear()
            self._latest[label].extend(float(value) for value in found)
