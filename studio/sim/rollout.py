"""Episodes of a world: every one from its own seed, all at once, each simulation frozen when its episode ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.contracts import Observation, Policy
from studio.sim.tasks.contexts import logged
from studio.sim.world import World

Array = np.ndarray
MAX_AT_ONCE = 512


@dataclass
class Outcome:
    """What became of each episode: (episodes,) arrays, and what was drawn for each, (episodes,) or (episodes, 3) by
    key: of the domain's own terms, where one is drawn again within the episode its mean over it; and of a family's task
    the context's components, ``context:velocity``."""

    seeds: Array
    successes: Array
    returns: Array
    lengths: Array
    randomization: dict[str, Array]

    def rows(self, rows: Array) -> Outcome:
        """Return some of the episodes."""
        drawn = {key: values[rows] for key, values in self.randomization.items()}
        return Outcome(self.seeds[rows], self.successes[rows], self.returns[rows], self.lengths[rows], drawn)

    @staticmethod
    def joined(parts: Sequence[Outcome]) -> Outcome:
        """Several outcomes one after the other."""
        return Outcome(
            np.concatenate([p.seeds for p in parts]),
            np.concatenate([p.successes for p in parts]),
            np.concatenate([p.returns for p in parts]),
            np.concatenate([p.lengths for p in parts]),
            {key: np.concatenate([p.randomization[key] for p in parts]) for key in parts[0].randomization},
        )


def run_episodes(
    world: World,
    actions: Callable[[World, Array, Observation | None], Array],
    seeds: Sequence[int],
    *,
    needs_observation: bool = True,
    record: Callable[[Array, Observation, Array, Array], None] | None = None,
    tick: Callable[[int], None] | None = None,
) -> Outcome:
    """Runs one episode per seed (at most ``world.num_envs`` seeds).

    Args:
        actions: (world, ids, observation) → native actions (n, dof).
        record: called before every step with (ids, observation, actions, rewards of the state acted in).
        tick: called every step with the number of episodes that have ended; it may raise to leave.
    """
    ids = np.arange(len(seeds))
    world.reset_envs(ids, seeds)
    terms = world.domain.randomization
    values = world.drawn
    drawn = {key: values[key][ids].copy() for key in logged(world.domain, world.task)}
    changing = {term.key: np.zeros_like(drawn[term.key]) for term in terms if term.resample == "interval"}
    outcome = Outcome(
        np.asarray(seeds), np.zeros(len(ids), bool), np.zeros(len(ids)), np.zeros(len(ids), int), drawn
    )  # fmt: skip
    active = ids
    while len(active):
        if tick is not None:
            tick(len(ids) - len(active))
        observation = world.observe(active) if needs_observation or record else None
        action = actions(world, active, observation)
        if record is not None:
            assert observation is not None
            record(active, observation, action, world.reward(active))
        world.advance(action, active)
        rewards = world.reward(active)
        outcome.returns[active] += rewards
        outcome.lengths[active] += 1
        for key, total in changing.items():
            total[active] += world.randomization[key][active]
        if world.task.has_success:
            outcome.successes[active] = world.success(active)
        over = world.terminated(active) | world.truncated(active)
        world.notify_step(active, rewards)
        if over.any():
            ended = active[over]
            world.notify_episode_end(ended, outcome.successes[ended] if world.task.has_success else None)
        active = active[~over]
    for key, total in changing.items():
        drawn[key] = (total.T / outcome.lengths).T
    return outcome


def policy_actions(policy: Policy, first: object = None) -> Callable[[World, Array, Observation | None], Array]:
    """A policy as the ``actions`` of :func:`run_episodes`. What it remembers goes along with each simulation.

    Args:
        first: its memory at each episode's beginning.
    """
    memory: Any = None
    those = np.zeros(0, int)  # the simulations whose memory it is

    def act(world: World, ids: Array, observation: Observation | None) -> Any:
        nonlocal memory, those
        assert observation is not None
        if not world.steps[ids].any():  # episodes begin, all at once
            memory = first
        elif len(ids) < len(those):
            memory = rows_of(memory, np.searchsorted(those, ids))
        action, memory = policy.act(observation, memory)
        those = ids
        return action

    return act


def rows_of(memory: Any, rows: Array) -> Any:
    """Some rows of what a policy remembers: of each array or tensor (n, …) in it."""
    if isinstance(memory, Mapping):
        return {key: rows_of(value, rows) for key, value in memory.items()}
    if isinstance(memory, (tuple, list)):
        return type(memory)(rows_of(value, rows) for value in memory)
    return None if memory is None else memory[rows]


def expert_actions(world: World, ids: Array, observation: Observation | None) -> Array:
    """The scripted expert as the ``actions`` of :func:`run_episodes`."""
    return world.expert(ids)
