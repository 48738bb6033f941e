"""Steps a world for a learner: observations, transitions and the statistics of episodes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.rl.collectors.episode_statistics import EpisodeStatistics, stagger
from studio.rl.networks.observations import flatten
from studio.rl.states import arrays, tensors
from studio.sim.world import World

Array = np.ndarray


@dataclass
class Transition:
    """One step of every simulation: (env, width) and (env,) tensors on the learner's device."""

    observations: Tensor
    rewards: Tensor
    next_observations: Tensor  # before any reset
    terminated: Tensor  # 1.0 where the episode terminated: the next state's value is 0
    ended: Tensor  # bool: terminated or truncated


class EnvRunner:
    """Steps a world and keeps its latest observation. Simulations start at different times of an episode, so that they
    don't all end together. A diverged simulation's next state is the state before the step.

    Args:
        first_seed: the first seed of its episodes, see :mod:`studio.seeds`.
        ignored: observation entries that the policy does not receive.
        trial: see :class:`EpisodeStatistics`.
    """

    def __init__(
        self, world: World, first_seed: int, device: Any = "cpu", ignored: Collection[str] = (), trial: int = 1
    ) -> None:
        self.world, self.device, self._ignored = world, torch.device(device), ignored
        self._observation = self._flatten(world.reset(seed=first_seed)[0])
        stagger(world)
        self.statistics = EpisodeStatistics(world, trial)

    @property
    def observations(self) -> Tensor:
        """Return the present observation of every simulation, (env, width) float32."""
        return torch.as_tensor(self._observation, dtype=torch.float32, device=self.device)

    def restart(self) -> None:
        """Start an episode in every simulation, all from its first step; those that were under way do not count."""
        self._observation = self._flatten(self.world.reset()[0])
        self.statistics.restart()

    def step(self, native: Array) -> Transition:
        """Make one control step under native actions (env, width)."""
        before = self.observations
        observation, reward, terminated, truncated, info = self.world.step(native)
        self._observation = self._flatten(observation)
        ended, following = terminated | truncated, self._observation
        if ended.any():
            following, ids = following.copy(), np.flatnonzero(ended)
            following[ids] = np.stack([self._flatten(final) for final in info["final_obs"][ids]])
            diverged = info["diverged"]
            following[diverged] = before.cpu().numpy()[diverged]
        self._record(reward, terminated, truncated, info)
        on = {"dtype": torch.float32, "device": self.device}
        return Transition(
            before,
            torch.as_tensor(reward, **on),
            torch.as_tensor(following, **on),
            torch.as_tensor(terminated, **on),
            torch.as_tensor(ended, device=self.device),
        )

    def metrics(self) -> dict[str, float]:
        """Return means over the latest episodes, and how many simulations diverged so far."""
        values = {"diverged": float(self.world.diverged)} | self.statistics.metrics()
        return values if self.world.curriculum is None else values | self.world.curriculum.metrics()

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next step depends on, the world included."""
        return {
            "world": tensors(self.world.state_dict()),
            "seen": torch.from_numpy(self._observation.copy()),
            "statistics": self.statistics.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.world.load_state_dict(arrays(state["world"]))
        self._observation = state["seen"].cpu().numpy().copy()
        self.statistics.load_state_dict(state["statistics"])

    def _flatten(self, observation: Any) -> Array:
        return flatten(observation, self._ignored)

    def _record(self, reward: Array, terminated: Array, truncated: Array, info: dict[str, Any]) -> None:
        self.statistics.count(reward, terminated, truncated, info)
