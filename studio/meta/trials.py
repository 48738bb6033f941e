"""Trials: k episodes of one task with one context, and observations of the previous action, reward and episode end.

A policy whose memory lasts for the whole trial can explore in the first episodes and exploit in the later ones (Duan et
al. 2016, RL², arXiv:1611.02779, section 2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from studio.contracts import Act, Ids, Observation, ResolvedDomain, TrialPolicy
from studio.errors import StudioError
from studio.sim.observers import Observer, TrialObserver
from studio.sim.rollout import Outcome, run_episodes
from studio.sim.simulation import BatchSimulation
from studio.sim.world import World

Array = np.ndarray
PREVIOUS = ("previous_action", "previous_end", "previous_reward")


class Trials(TrialObserver):
    """Holds each simulation's context, and its randomized values, over ``k`` episodes of a world.

    From now on the world's observations hold ``previous_action`` (n, width) in native units, or one-hot (n, choices)
    under a discrete control, ``previous_reward`` (n, 1) as the task shows it (:meth:`Task.observed_reward`), and
    ``previous_end`` (n, 1), 1 where the last step ended an episode of the trial: zeros where a trial begins. A trial's
    context is what its first episode's seed draws, so it does not depend on the other simulations; where each
    episode starts is drawn from its own seed.

    Its state is part of a training's state, beside the world's. Raises StudioError where ``k`` is below 1, or the world
    has trials already.

    Args:
        observed: whether observations hold the previous action, reward and end.
    """

    def __init__(self, world: World, k: int, observed: bool = True) -> None:
        if k < 1:
            raise StudioError(f"A trial needs at least one episode; it has {k}.", "trial", "Choose one or more.")
        n, self._choices = world.num_envs, world.choices
        self.k, self._observed, self._seeds = k, observed, np.zeros(n, int)
        self._episode = np.full(n, k - 1)  # index within the trial; the next reset starts a trial
        self._previous = {
            "previous_action": np.zeros((n, self._choices or world.actions.shape[1]), np.float32),
            "previous_end": np.zeros((n, 1), np.float32),
            "previous_reward": np.zeros((n, 1), np.float32),
        }
        world.hold_trials(self)

    @property
    def episode(self) -> Array:
        """Return the index of each simulation's episode within its trial, (num_envs,), from 0."""
        return self._episode

    def restart(self) -> None:
        """Make every simulation's next episode the first of a trial."""
        self._episode[:] = self.k - 1

    def context_seeds(self, ids: Array, seeds: Array) -> Array:
        """Return the seeds of the trials that the next episodes belong to; see :class:`TrialObserver`."""
        self._episode[ids] = (self._episode[ids] + 1) % self.k
        first = ids[self._episode[ids] == 0]
        self._seeds[ids] = np.where(self._episode[ids] == 0, seeds, self._seeds[ids])
        for held in self._previous.values():
            held[first] = 0
        return self._seeds[ids]

    def observe(self, ids: Ids) -> Observation:
        """Return an entry for each name of ``PREVIOUS``, copied; nothing where they are not observed."""
        return {name: held[ids].copy() for name, held in self._previous.items()} if self._observed else {}

    def on_step(self, world: BatchSimulation, ids: Ids, rewards: Array) -> None:
        # a NaN action ends the episode as diverged and must not appear in the next episode's observation
        actions = np.nan_to_num(world.actions[ids], posinf=0.0, neginf=0.0)
        if self._choices:
            actions = np.arange(self._choices) == actions.astype(int)
        self._previous["previous_action"][ids] = actions
        self._previous["previous_reward"][ids, 0] = world.task.observed_reward(world, ids, rewards)
        self._previous["previous_end"][ids] = 0

    def on_episode_end(self, world: BatchSimulation, ids: Array, successes: Array | None) -> None:
        self._previous["previous_end"][ids] = 1

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next episodes depend on beside the world's own state, copied."""
        held = {"seeds": self._seeds, "episode": self._episode, **self._previous}
        return {name: torch.from_numpy(value.copy()) for name, value in held.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        for name, value in {"seeds": self._seeds, "episode": self._episode, **self._previous}.items():
            value[...] = state[name].cpu().numpy()


def run_trials(
    act: Act,
    domain: ResolvedDomain,
    k: int,
    seeds: Sequence[int],
    tick: Callable[[int], None] | None = None,
    observers: Sequence[Observer] = (),
    last: Act | None = None,
) -> tuple[list[Outcome], Any]:
    """Play one trial for each seed, all at once, with a memory that lasts over the trial's episodes.

    Args:
        act: the ``act`` of a policy whose memory is an array (n, width); with sampled actions if it explores by chance.
        last: acts in the last episode; None: ``act`` does.
        seeds: seeds of the first episodes, which draw the contexts; later episodes have seeds of their own.
        tick: called every step with the number of episodes that have ended; it may raise to leave.
        observers: look on.

    Returns:
        What became of the trials' first episodes, of their second …, and the memory after the last, (trials, width).
    """
    world = World(domain.domain, domain.new_task(), domain.embodiment, len(seeds))
    memory: Any = None
    acting = act

    def actions_of(world: World, ids: Array, observation: Observation | None) -> Array:
        nonlocal memory
        actions, after = acting(observation or {}, None if memory is None else memory[ids])
        memory = np.array(after) if memory is None else memory
        memory[ids] = after
        return np.asarray(actions)

    try:
        Trials(world, k)
        world.observers.extend(observers)
        step = max(seeds) - min(seeds) + 1
        episodes = [[seed + step * i for seed in seeds] for i in range(k)]
        outcomes = []
        for place, each in enumerate(episodes):
            acting = act if last is None or place < k - 1 else last
            count = None if tick is None else lambda ended, place=place: tick(place * len(seeds) + ended)
            outcomes.append(run_episodes(world, actions_of, each, tick=count))
        return outcomes, memory
    finally:
        world.close()


def scored_trials(
    policy: TrialPolicy,
    domain: ResolvedDomain,
    most: int,
    seeds: Sequence[int],
    seed: int,
    tick: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """Return what became of the episodes after 0, 1 … ``most`` others of the same task, a trial for each seed.

    Args:
        seed: of the random numbers that the policy explores by.
        tick: called every step with the number of episodes that have ended, of ``most + 1`` for each seed; it may raise
            to leave.
    """
    if not policy.explores_apart:
        return run_trials(policy.exploring(seed), domain, most + 1, seeds, tick)[0]
    outcomes = []
    for shots in range(most + 1):  # episodes in which it explores; those of shorter trials are the same ones
        ended = None if tick is None else lambda count, shots=shots: tick(shots * len(seeds) + count // (shots + 1))
        played, _ = run_trials(policy.exploring(seed), domain, shots + 1, seeds, ended, last=policy.act)
        outcomes.append(played[-1])
    return outcomes
