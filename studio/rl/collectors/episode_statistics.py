"""What the episodes of a training returned, how long they were, and how many succeeded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from studio.sim.world import World

Array = np.ndarray
LATEST = 20  # episodes at least that a mean is over
_ARRAYS = ("returns", "lengths", "whole")


def stagger(world: World) -> None:
    """Puts simulations that have just begun at different times of their episodes, so that they don't all end together.
    What these first episodes come to is no measure of the policy."""
    world.steps[:] = np.arange(world.num_envs) * world.task.horizon // world.num_envs
    if world.curriculum is not None:
        world.curriculum.exclude(np.flatnonzero(world.steps))


def diverged_sentence(count: int) -> str:
    """What the log says of simulations that diverged, ``count`` of them since it last said so."""
    return f"{count} simulations diverged and were reset." if count != 1 else "1 simulation diverged and was reset."


class EpisodeStatistics:
    """Of a world's latest episodes, one for each simulation or ``LATEST``, as Gymnasium's RecordEpisodeStatistics.

    Simulations begin at different times of an episode. One that time cuts off counts only if it began at its beginning.
    """

    def __init__(self, world: World) -> None:
        n, self._has_success = world.num_envs, world.task.has_success
        self.returns, self.lengths, self.whole = np.zeros(n), np.zeros(n, int), world.steps == 0
        self.finished: deque[tuple[float, int, bool]] = deque(maxlen=max(n, LATEST))  # (return, length, success)
        self.episodes = 0

    def count(self, reward: Array, terminated: Array, truncated: Array, info: dict[str, Any]) -> None:
        """Takes in what a step of every simulation gave, (env,) each."""
        self.returns += reward
        self.lengths += 1
        ended = np.flatnonzero(terminated | truncated)
        if len(ended):
            whole = ended[terminated[ended] | self.whole[ended]]
            success = info.get("success", np.zeros(len(reward), bool))
            self.add(self.returns[whole].tolist(), self.lengths[whole].tolist(), success[whole].tolist())
            self.returns[ended], self.lengths[ended], self.whole[ended] = 0, 0, True

    def add(self, returns: Iterable[float], lengths: Iterable[int], successes: Iterable[bool]) -> None:
        """Takes in whole episodes."""
        found = list(zip(returns, lengths, successes, strict=True))
        self.finished.extend(found)
        self.episodes += len(found)

    def metrics(self) -> dict[str, float]:
        """Means of the latest episodes; nothing before the first has ended."""
        if not self.finished:
            return {}
        returns, lengths, successes = (float(np.mean(column)) for column in zip(*self.finished, strict=True))
        values = {"return": returns, "episode_length": lengths}
        return values | {"training_success": successes} if self._has_success else values

    def state_dict(self) -> dict[str, Any]:
        """Everything."""
        arrays = {name: torch.from_numpy(getattr(self, name).copy()) for name in _ARRAYS}
        return {
            **arrays,
            "finished": [[float(part) for part in each] for each in self.finished],
            "count": self.episodes,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        for name in _ARRAYS:
            setattr(self, name, state[name].cpu().numpy().copy())
        self.finished.clear()
        self.finished.extend((float(r), int(k), bool(s)) for r, k, s in state["finished"])
        self.episodes = int(state["count"])
