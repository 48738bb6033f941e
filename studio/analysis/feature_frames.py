"""Frames of each domain of a run, on which the features of its checkpoints are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from studio.contracts import Array, Episodes, Observation, Policy, ResolvedDomain
from studio.data.datasets import demonstrations
from studio.errors import DataError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.seeds import demonstration_seed
from studio.sim.domains import resolve
from studio.sim.rollout import run_episodes
from studio.sim.world import World

Tick = Callable[[int, int], None]

FRAMES = 512  # of each domain
FRAMES_IN_ALL = 2048
PLAYED = 16  # episodes, where there are no demonstrations


@dataclass(frozen=True)
class DomainFrames:
    """Frames of one domain, evenly spread over its episodes. Those of every other episode take turns: a probe that is
    fitted on the even rows is scored, on the odd ones, on episodes that it has not seen.

    Args:
        field: of the experiment: target, source, sources.1 ….
        actions: the recorded ones, (n, width).
        episodes: the number of each frame's episode, (n,).
        classes: the recorded choices, (n,), under a discrete control; else None.
    """

    field: str
    embodiment: str
    control: str
    observations: Observation
    actions: Array
    episodes: Array
    classes: Array | None

    def __len__(self) -> int:
        return len(self.actions)

    def half(self, which: int) -> DomainFrames:
        """Return every other pair of the frames, the first ones or the second ones."""
        rows = np.flatnonzero(np.arange(len(self)) // 2 % 2 == which)
        return DomainFrames(
            self.field,
            self.embodiment,
            self.control,
            {name: values[rows] for name, values in self.observations.items()},
            self.actions[rows],
            self.episodes[rows],
            None if self.classes is None else self.classes[rows],
        )

    def is_like(self, other: DomainFrames) -> bool:
        """Return whether they are of the same robot under the same control."""
        return (self.embodiment, self.control) == (other.embodiment, other.control)


def domain_frames(
    experiment: Experiment,
    registry: Registry,
    frames: int = FRAMES,
    tick: Tick | None = None,
    source_policy: Policy | None = None,
) -> list[DomainFrames]:
    """Return frames of the target and of each source.

    They are of the demonstrations that a run of the experiment learns from, or of as many by the scripted expert. Of a
    task that is judged by its return they are of episodes of the same seeds in every domain, by the expert or else by
    the source policy.

    Args:
        frames: of each domain, at most; fewer where there are many domains.
        tick: called with (episodes made, episodes asked for) while the expert plays; it may raise to stop.

    Raises:
        DataError: there is nothing that acts in a domain.
    """
    found = []
    count = min(frames, FRAMES_IN_ALL // len(experiment.domains))
    for field, domain in experiment.domains.items():
        few = domain.model_copy(update={"episodes": min(domain.episodes, count)})
        resolved = resolve(few, registry)
        if domain.dataset is not None or (resolved.task.has_expert and resolved.task.has_success):
            episodes = demonstrations(resolved, experiment.demonstration_seeds[field], tick)
        elif resolved.task.has_expert or source_policy is not None:
            episodes = _played(resolved, None if resolved.task.has_expert else source_policy, experiment.seed)
        else:
            words = f"The task '{domain.task}' has neither recordings nor a scripted expert, so no states to compare."
            raise DataError(words, field, "Name a dataset of the domain.")
        found.append(_taken(field, few.embodiment, few.control, episodes, spread_rows(episodes.lengths, count)))
    return found


def _played(resolved: ResolvedDomain, policy: Policy | None, seed: int) -> Episodes:
    """Return episodes by a policy; None: by the scripted expert."""
    parts: list[list[tuple[Observation, Array]]] = [[] for _ in range(PLAYED)]
    first = demonstration_seed(seed)

    def act(world: World, ids: Array, observation: Observation | None) -> Array:
        if policy is None:
            return world.expert(ids)
        assert observation is not None
        return policy.act(observation)[0]

    def record(ids: Array, seen: Observation, actions: Array, _rewards: Array) -> None:
        for row, episode in enumerate(ids):
            parts[episode].append(({name: values[row] for name, values in seen.items()}, actions[row]))

    world = World(resolved.domain, resolved.new_task(), resolved.embodiment, PLAYED)
    try:
        run_episodes(world, act, range(first, first + PLAYED), record=record)
    finally:
        world.close()
    frames = [frame for part in parts for frame in part]
    observations = {name: np.stack([seen[name] for seen, _ in frames]) for name in frames[0][0]}
    return Episodes(observations, np.stack([action for _, action in frames]), np.array([len(part) for part in parts]))


def _taken(field: str, embodiment: str, control: str, episodes: Episodes, rows: Array) -> DomainFrames:
    actions = episodes.actions[rows]
    return DomainFrames(
        field,
        embodiment,
        control,
        {name: values[rows] for name, values in episodes.observations.items()},
        actions,
        np.repeat(np.arange(len(episodes)), episodes.lengths)[rows],
        actions[:, 0].astype(int) if episodes.discrete else None,
    )


def spread_rows(lengths: Array, count: int) -> Array:
    """Return at most ``count`` rows, evenly spread over episodes of these lengths, (episodes,).

    The even ones are of the episodes 0, 2, 4 …, the odd ones of 1, 3, 5 …; of a single episode, of its two halves.
    """
    numbers = np.repeat(np.arange(len(lengths)), lengths)
    halves = numbers % 2 if len(lengths) > 1 else (np.arange(len(numbers)) >= len(numbers) / 2).astype(int)
    even, odd = (np.flatnonzero(halves == half) for half in (0, 1))
    each = min(count // 2, len(even), len(odd))
    chosen = [part[np.linspace(0, len(part) - 1, each).round().astype(int)] for part in (even, odd)]
    return np.stack(chosen, 1).reshape(-1)
