"""A learner's side of a world: what it sees, what its steps led to, and what the episodes returned."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.rl.collectors.episode_statistics import EpisodeStatistics, stagger
from studio.rl.networks.gaussian import flatten
from studio.rl.states import arrays, tensors
from studio.sim.world import World

Array = np.ndarray


@dataclass
class Transition:
    """One step of every simulation: (env, width) and (env,) tensors on the learner's device."""

    observations: Tensor
    rewards: Tensor
    next_observations: Tensor  # before any reset
    terminated: Tensor  # 1.0 where the episode terminated: nothing is to be expected of the next state
    ended: Tensor  # bool: terminated, or out of time


class EnvRunner:
    """Steps a world and keeps what it shows. Simulations begin at different times of an episode, so that they don't
    all end together; one that diverged counts as if it had stood still, and gained nothing.

    Args:
        first_seed: of its episodes, see :mod:`studio.seeds`.
        ignored: entries of the observation that the policy does not see.
    """

    def __init__(self, world: World, first_seed: int, device: Any = "cpu", ignored: Collection[str] = ()) -> None:
        self.world, self.device, self._ignored = world, torch.device(device), ignored
        self._seen = self._flat(world.reset(seed=first_seed)[0])
        stagger(world)
        self.statistics = EpisodeStatistics(world)

    @property
    def observations(self) -> Tensor:
        """What every simulation shows now, (env, width) float32."""
        return torch.as_tensor(self._seen, dtype=torch.float32, device=self.device)

    def step(self, native: Array) -> Transition:
        """One control step under native actions (env, width)."""
        before = self.observations
        observation, reward, terminated, truncated, info = self.world.step(native)
        self._seen = self._flat(observation)
        ended, following = terminated | truncated, self._seen
        if ended.any():
            following, ids = following.copy(), np.flatnonzero(ended)
            following[ids] = np.stack([self._flat(final) for final in info["final_obs"][ids]])
            lost = info["diverged"]
            following[lost] = before.cpu().numpy()[lost]
        self._count(reward, terminated, truncated, info)
        on = {"dtype": torch.float32, "device": self.device}
        return Transition(
            before,
            torch.as_tensor(reward, **on),
            torch.as_tensor(following, **on),
            torch.as_tensor(terminated, **on),
            torch.as_tensor(ended, device=self.device),
        )

    def metrics(self) -> dict[str, float]:
        """Of the latest episodes."""
        values = {"diverged": float(self.world.diverged)} | self.statistics.metrics()
        return values if self.world.curriculum is None else values | self.world.curriculum.metrics()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, the world included."""
        return {
            "world": tensors(self.world.state_dict()),
            "seen": torch.from_numpy(self._seen.copy()),
            "statistics": self.statistics.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        self.world.load_state_dict(arrays(state["world"]))
        self._seen = state["seen"].cpu().numpy().copy()
        self.statistics.load_state_dict(state["statistics"])

    def _flat(self, observation: Any) -> Array:
        return flatten(observation, self._ignored)

    def _count(self, reward: Array, terminated: Array, truncated: Array, info: dict[str, Any]) -> None:
        self.statistics.count(reward, terminated, truncated, info)
