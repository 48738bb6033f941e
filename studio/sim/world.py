"""World: simulations of one domain as a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from studio.contracts import Embodiment, Observation, Task
from studio.errors import StudioError
from studio.experiment import Domain
from studio.rng import checked_seeds
from studio.sim import spaces
from studio.sim.observers import TrialObserver
from studio.sim.simulation import BatchSimulation

Array = np.ndarray
ALL = slice(None)


class World(BatchSimulation, VectorEnv):
    """Simulations that step all together, as Gymnasium's vector interface has it.

    Autoreset is SAME_STEP with ``final_obs``; ``info["diverged"]`` tells which episodes ended because the simulation
    diverged. A body whose observation is its state alone is seen as an array, else as a dictionary. Arguments and
    errors are those of :class:`studio.sim.simulation.BatchSimulation`.
    """

    def __init__(
        self,
        domain: Domain,
        task: Task,
        embodiment: Embodiment,
        num_envs: int,
        threads: int = 0,
        max_delay: float | None = None,
        curriculum: bool = False,
    ) -> None:
        self.closed = True  # there is nothing to close where this fails
        super().__init__(domain, task, embodiment, num_envs, threads, max_delay, curriculum)
        self.closed = False
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_action_space = spaces.of_actions(self)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._set_observation_space()

    def reset(self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start an episode in every simulation.

        Args:
            seed: the first simulation's, and the others' follow; or one for each; None: those that follow the last.

        Raises:
            StudioError: there are options, or a seed is none.
        """
        if options:
            raise StudioError("A world's reset takes no options: it resets every simulation.", "options", "Omit them.")
        asked: Any = seed
        one = np.ndim(asked) == 0  # the first simulation's; the others' follow
        given = checked_seeds([asked], 1) if one else checked_seeds(asked, self.num_envs)
        self._next_seed = given[0] if one and given[0] is not None else self._next_seed
        seeds = self._take_seeds(self.num_envs)
        if not one:
            seeds = [own if chosen is None else chosen for chosen, own in zip(given, seeds)]
        if self.trials is not None:
            self.trials.restart()
        self.reset_envs(self._every, seeds)
        return self._public(self.observe(ALL), copied=False), {}

    def step(self, actions: Array) -> Any:
        """One control step of every simulation; those whose episode ended start the next one."""
        self.advance(actions, ALL)
        reward = self.reward(ALL)
        terminated, truncated = self.terminated(ALL), self.truncated(ALL)
        truncated &= ~terminated
        self.notify_step(ALL, reward)
        observation, info = self._public(self.observe(ALL), copied=False), {}
        if self.task.has_success:
            info["success"] = self.success(ALL)
        done = terminated | truncated
        if done.any():
            ids = np.flatnonzero(done)
            final = np.full(self.num_envs, None, object)
            for i in ids.tolist():
                final[i] = spaces.row(observation, i)
            info |= {"final_obs": final, "_final_obs": done, "diverged": self.diverging(ALL)}
            self.notify_episode_end(ids, info["success"][ids] if self.task.has_success else None)
            self.reset_envs(ids, self._take_seeds(len(ids)))
            spaces.overwrite(observation, ids, self._public(self.observe(ids), copied=True))
        return observation, reward, terminated, truncated, info

    def hold_trials(self, trials: TrialObserver) -> None:
        """Let episodes belong to trials from the next reset on; what the trials add is observed.

        Raises:
            StudioError: the world has trials already.
        """
        if self.trials is not None:
            raise StudioError("This world's episodes belong to trials already.", "trials", "Make another world.")
        self.trials = trials
        self.observers.append(trials)
        self._set_observation_space()

    def close_extras(self, **kwargs: Any) -> None:
        """Free the renderer; called by :meth:`close`."""
        self.sensors.close()

    def _set_observation_space(self) -> None:
        self.single_observation_space = spaces.of_observations(self)
        self._flat = not isinstance(self.single_observation_space, gymnasium.spaces.Dict)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def _public(self, observation: Observation, copied: bool) -> Any:
        """As Gymnasium shows it: a body's state is an array, not a dictionary of one."""
        if self._flat:
            state = observation["state"]
            return state if copied or state.base is None else state.copy()
        return observation
