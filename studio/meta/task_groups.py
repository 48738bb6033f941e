"""Groups of simulations that play one task each, for learners that are adapted to many tasks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from studio.contracts import Ids, Observation
from studio.sim.observers import TrialObserver
from studio.sim.world import World

Array = np.ndarray


class TaskGroups(TrialObserver):
    """Holds one context, and the same randomized values, for each group of a world's simulations until others are
    chosen. Simulations of a group follow each other: the first group's are the first ones.

    Args:
        groups: divides the world's number of simulations.
    """

    k = 1  # nothing is remembered from one episode to the next

    def __init__(self, world: World, groups: int) -> None:
        self.groups, self.size = groups, world.num_envs // groups
        self.seeds = np.zeros(groups, int)
        world.hold_trials(self)

    @property
    def episode(self) -> Array:
        """Return that every episode is the first of its trial, (num_envs,)."""
        return np.zeros(self.groups * self.size, int)

    def choose(self, seeds: Sequence[int] | Array) -> None:
        """From the next reset on each group's context and randomized values are those that its seed, of (groups,),
        draws."""
        self.seeds[:] = seeds

    def restart(self) -> None:
        """Nothing of earlier episodes goes on in any case."""

    def context_seeds(self, ids: Array, seeds: Array) -> Array:
        """Return the groups' seeds; see :class:`TrialObserver`."""
        return self.seeds[ids // self.size]

    def observe(self, ids: Ids) -> Observation:
        """Return nothing: what is adapted are parameters, and no memory has to see the rewards."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return which contexts are held."""
        return {"seeds": torch.from_numpy(self.seeds.copy())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.seeds[:] = state["seeds"].cpu().numpy()
