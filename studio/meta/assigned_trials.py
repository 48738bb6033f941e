"""Training tasks of a family, each known by a seed, and a world whose simulations play tasks that are assigned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from studio.contracts import Ids
from studio.meta.trials import Trials
from studio.sim.simulation import BatchSimulation
from studio.sim.world import World

Array = np.ndarray


class AssignedTrials(Trials):
    """Trials whose tasks are assigned, simulation by simulation, before the world is reset.

    Args:
        k: episodes of a trial.
        seeds: of the tasks, (tasks,): see :mod:`studio.meta.task_seeds`.
    """

    def __init__(self, world: World, k: int, seeds: Array) -> None:
        self.task_seeds, self.tasks = np.asarray(seeds), np.zeros(world.num_envs, int)
        self._begun = np.zeros(world.num_envs, int)  # episodes since the tasks were assigned
        self.rewards = np.zeros(world.num_envs, np.float32)  # of the last step, as a policy observes them
        super().__init__(world, k)

    def assign(self, tasks: Array) -> None:
        """Let the simulations play these tasks, (num_envs,) indices, from the next reset on."""
        self.tasks[:] = tasks

    @property
    def episode(self) -> Array:
        """Return the index of each simulation's episode within its trial, (num_envs,); ``k`` where the trial is over:
        where episodes end early, a simulation plays on until all trials are over."""
        return np.minimum(self._begun - 1, self.k)

    def restart(self) -> None:
        super().restart()
        self._begun[:] = 0

    def context_seeds(self, ids: Array, seeds: Array) -> Array:
        super().context_seeds(ids, seeds)
        self._begun[ids] += 1
        return np.asarray(self.task_seeds[self.tasks[ids]])

    def on_step(self, world: BatchSimulation, ids: Ids, rewards: Array) -> None:
        super().on_step(world, ids, rewards)
        self.rewards[ids] = self._previous["previous_reward"][ids, 0]

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next episodes depend on beside the world's own state, copied."""
        return {**super().state_dict(), "tasks": torch.from_numpy(self.tasks.copy())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        self.tasks[:] = state["tasks"].cpu().numpy()
