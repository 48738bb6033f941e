"""Labeled examples of the tasks of a family: what the scripted expert does in some episodes of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from studio.contracts import Observation, ResolvedDomain
from studio.meta.trials import Trials
from studio.sim.rollout import Outcome, run_episodes
from studio.sim.trajectory import TrajectoryRecorder
from studio.sim.world import World

Array = np.ndarray
AT_ONCE = 2048  # tasks
CYCLE = 60  # a multiple of the numbers of cases (2 to 6, 10, 12) that a task may count through by the seed
FRAMES = 8  # of an episode that are kept at most, evenly spaced


@dataclass(frozen=True)
class Examples:
    """What is observed and the expert's native action there.

    Args:
        observations: by entry, (tasks, episodes, frames, …).
        actions: (tasks, episodes, frames, width).
    """

    observations: Observation
    actions: Array

    def first(self, episodes: int) -> Examples:
        """Return the first episodes of each task."""
        chosen = {name: value[:, :episodes] for name, value in self.observations.items()}
        return Examples(chosen, self.actions[:, :episodes])

    def flat(self) -> tuple[Observation, Array]:
        """Return observations and actions with the frames of all episodes of a task in one row, (tasks, n, …)."""
        merged = {name: _merged(value) for name, value in self.observations.items()}
        return merged, _merged(self.actions)


class SupportTrials:
    """Plays trials of a domain, one task for each seed: the expert's episodes first, then a policy's.

    The task of a trial is drawn by its seed; every episode's start has a seed of its own.

    Args:
        episodes: of the expert.
        more: of a policy, at most.
    """

    def __init__(self, domain: ResolvedDomain, seeds: Sequence[int], episodes: int, more: int = 0) -> None:
        self._seeds, self._episodes = seeds, episodes
        # 1 more than a multiple of the cycle: a task that counts through its cases by the seed meets all in turn
        self._step = CYCLE * -(-(max(seeds) - min(seeds)) // CYCLE) + 1
        self._world = World(domain.domain, domain.new_task(), domain.embodiment, len(seeds))
        Trials(self._world, episodes + more, observed=False)

    def examples(self, tick: Callable[[int], None] | None = None) -> Examples:
        """Play the expert's episodes; return its labels.

        Args:
            tick: called after every episode with the number of episodes so far, of all tasks; it may raise to leave.
        """
        parts = []
        for place in range(self._episodes):
            recorder = _Recorder(len(self._seeds))
            run_episodes(self._world, recorder.act, self._seeds_of(place), record=recorder.record)
            parts.append(recorder.frames())
            if tick is not None:
                tick((place + 1) * len(self._seeds))
        stacked = {name: np.stack([part[name] for part in parts], 1) for name in parts[0]}
        actions = stacked.pop("actions")
        return Examples(stacked, actions)

    def places(self) -> Array:
        """Play the expert's episodes of the first task; return where they end, (episodes, 3), m."""
        recorder = TrajectoryRecorder(self._episodes)
        self._world.observers.append(recorder)
        self.examples()
        return np.array([one.path[-1] for one in recorder.trajectories()])

    def query(self, act: Callable[[World, Array, Observation | None], Array]) -> Outcome:
        """Play the next episode of every trial: it starts the same way each time this is called."""
        return run_episodes(self._world, act, self._seeds_of(self._episodes))

    def close(self) -> None:
        """Free the world."""
        self._world.close()

    def _seeds_of(self, place: int) -> list[int]:
        return [seed + self._step * place for seed in self._seeds]


def collect_examples(
    domain: ResolvedDomain, tasks: int, episodes: int, seed: int, tick: Callable[[int, int], None] | None = None
) -> Examples:
    """Return the expert's labels in ``episodes`` episodes of each of ``tasks`` tasks, drawn by seeds from ``seed`` on.

    Args:
        tick: called with (episodes played, episodes in all); it may raise to leave.
    """
    parts = []
    for start in range(0, tasks, AT_ONCE):
        count = min(AT_ONCE, tasks - start)
        # these tasks' episodes have seeds below the next ones' first
        first = seed + 2 * start * (episodes + 1)
        trials = SupportTrials(domain, range(first, first + count), episodes)
        done = start * episodes
        count_up = None if tick is None else lambda played, done=done: tick(done + played, tasks * episodes)
        try:
            parts.append(trials.examples(count_up))
        finally:
            trials.close()
    names = parts[0].observations
    joined = {name: np.concatenate([part.observations[name] for part in parts]) for name in names}
    return Examples(joined, np.concatenate([part.actions for part in parts]))


class _Recorder:
    """The expert, and what it saw and did in one episode of each task."""

    def __init__(self, tasks: int) -> None:
        self._tasks, self._steps = tasks, list[tuple[Array, dict[str, Array]]]()
        self._labels: Array = np.empty(0)

    def act(self, world: World, ids: Array, observation: Observation | None) -> Array:
        self._labels = world.expert(ids)
        return self._labels

    def record(self, ids: Array, seen: Observation, executed: Array, rewards: Array) -> None:
        self._steps.append((ids, {**seen, "actions": self._labels.astype(np.float32)}))

    def frames(self) -> dict[str, Array]:
        """Return by entry (tasks, frames, …): evenly spaced steps of each episode, the first one among them."""
        lengths = np.zeros(self._tasks, int)
        for ids, _ in self._steps:
            lengths[ids] += 1
        count = min(FRAMES, len(self._steps))
        chosen = (np.arange(count) * lengths[:, None]) // count  # (tasks, frames): which step
        found = {
            name: np.zeros((self._tasks, count, *value.shape[1:]), value.dtype)
            for name, value in self._steps[0][1].items()
        }
        for step, (ids, entries) in enumerate(self._steps):
            rows, places = np.nonzero(chosen[ids] == step)
            for name, value in entries.items():
                found[name][ids[rows], places] = value[rows]
        return found


def _merged(value: Array) -> Array:
    return value.reshape(len(value), -1, *value.shape[3:])
