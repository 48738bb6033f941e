"""A learner's side of a world: what it sees, what its steps led to, and what the episodes returned."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.rl.policy import flatten
from studio.rl.rollouts import SEEDS
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


class Interaction:
    """Steps a world and keeps what it shows. Simulations begin at different times of an episode, so that they don't
    all end together; one that diverged counts as if it had stood still, and gained nothing.

    Args:
        ignored: entries of the observation that the policy does not see.
    """

    def __init__(self, world: World, seed: int, device: Any = "cpu", ignored: Collection[str] = ()) -> None:
        self.world, self.device, self._ignored = world, torch.device(device), ignored
        n = world.num_envs
        self._seen = self._flat(world.reset(seed=(seed + 1) << SEEDS)[0])
        world.steps[:] = np.arange(n) * world.task.horizon // n
        self._return, self._length = np.zeros(n), np.zeros(n, int)
        self._whole = world.steps == 0  # episodes that time cuts off are counted if they began at their beginning
        self.finished: deque[tuple[float, int, bool]] = deque(maxlen=max(n, 20))  # the latest (return, length, success)
        self.episodes = 0

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
        self._count(reward, terminated, ended, info)
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
        values = {"diverged": float(self.world.diverged)}
        if self.finished:
            returns, lengths, successes = (np.mean(column) for column in zip(*self.finished, strict=True))
            values |= {"return": float(returns), "episode_length": float(lengths)}
            if self.world.task.has_success:
                values["training_success"] = float(successes)
        return values if self.world.curriculum is None else values | self.world.curriculum.metrics()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, the world included."""
        return {
            "world": tensors(self.world.state_dict()),
            **{name: torch.from_numpy(getattr(self, f"_{name}").copy()) for name in _ARRAYS},
            "finished": [[float(part) for part in episode] for episode in self.finished],
            "episodes": self.episodes,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        self.world.load_state_dict(arrays(state["world"]))
        for name in _ARRAYS:
            setattr(self, f"_{name}", state[name].cpu().numpy().copy())
        self.finished.clear()
        self.finished.extend((float(r), int(k), bool(s)) for r, k, s in state["finished"])
        self.episodes = int(state["episodes"])

    def _flat(self, observation: Any) -> Array:
        return flatten(observation, self._ignored)

    def _count(self, reward: Array, terminated: Array, ended: Array, info: dict[str, Any]) -> None:
        self._return += reward
        self._length += 1
        if ended.any():
            ids = np.flatnonzero(ended)
            whole = ids[terminated[ids] | self._whole[ids]]
            success = info.get("success", np.zeros(len(ended), bool))
            found = (self._return[whole].tolist(), self._length[whole].tolist(), success[whole].tolist())
            self.finished.extend(zip(*found, strict=True))
            self.episodes += len(whole)
            self._return[ids], self._length[ids], self._whole[ids] = 0, 0, True


_ARRAYS = ("seen", "return", "length", "whole")
