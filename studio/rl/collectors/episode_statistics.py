"""Returns, lengths and successes of the episodes of a training."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from studio.sim.world import World

Array = np.ndarray
LATEST = 20  # least number of episodes that a mean is over


def stagger(world: World) -> None:
    """Set simulations that were just reset to different times of their episodes, so that they don't all end together.

    These first episodes are shorter, so the curriculum does not count them.
    """
    world.steps[:] = np.arange(world.num_envs) * world.task.horizon // world.num_envs
    if world.curriculum is not None:
        world.curriculum.exclude(np.flatnonzero(world.steps))


def diverged_sentence(count: int) -> str:
    """Return the log's sentence that ``count`` simulations diverged in an iteration."""
    return f"{count} simulations diverged and were reset." if count != 1 else "1 simulation diverged and was reset."


class EpisodeStatistics:
    """Statistics of a world's latest episodes (as Gymnasium's RecordEpisodeStatistics): as many as there are
    simulations, at least ``LATEST``.

    A truncated episode counts only if it was played from its first step: see :func:`stagger`.

    Args:
        trial: consecutive episodes of a simulation that are of one task. Means are over so many times the episodes,
            and no return is among them: it changes within a trial, and :class:`studio.meta.trial_returns.TrialReturns`
            has that of its first episode, of its second …
    """

    def __init__(self, world: World, trial: int = 1) -> None:
        n, self._has_success, self._trial = world.num_envs, world.task.has_success, trial
        self.returns, self.lengths, self.whole = np.zeros(n), np.zeros(n, int), world.steps == 0
        self.finished: deque[tuple[float, int, bool]] = deque(
            maxlen=trial * max(n, LATEST)
        )  # (return, length, success)
        self.episodes = 0

    def restart(self) -> None:
        """Forget the unfinished episodes: every simulation was reset and is at its first step."""
        self.returns[:], self.lengths[:], self.whole[:] = 0, 0, True

    def count(self, reward: Array, terminated: Array, truncated: Array, info: dict[str, Any]) -> None:
        """Add the results of one step of every simulation, (env,) each."""
        self.returns += reward
        self.lengths += 1
        ended = np.flatnonzero(terminated | truncated)
        if len(ended):
            whole = ended[terminated[ended] | self.whole[ended]]
            success = info.get("success", np.zeros(len(reward), bool))
            self.add(self.returns[whole].tolist(), self.lengths[whole].tolist(), success[whole].tolist())
            self.returns[ended], self.lengths[ended], self.whole[ended] = 0, 0, True

    def add(self, returns: Iterable[float], lengths: Iterable[int], successes: Iterable[bool]) -> None:
        """Add whole episodes."""
        episodes = list(zip(returns, lengths, successes, strict=True))
        self.finished.extend(episodes)
        self.episodes += len(episodes)

    def metrics(self) -> dict[str, float]:
        """Return means of the latest episodes; none before the first has ended."""
        if not self.finished:
            return {}
        returns, lengths, successes = (float(np.mean(column)) for column in zip(*self.finished, strict=True))
        values = {"episode_length": lengths} if self._trial > 1 else {"return": returns, "episode_length": lengths}
        return values | {"training_success": successes} if self._has_success else values

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""
        arrays = {name: torch.from_numpy(array.copy()) for name, array in self._unfinished().items()}
        return {
            **arrays,
            "finished": [[float(part) for part in each] for each in self.finished],
            "count": self.episodes,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        for name, array in self._unfinished().items():
            array[:] = state[name].cpu().numpy()
        self.finished.clear()
        self.finished.extend((float(r), int(k), bool(s)) for r, k, s in state["finished"])
        self.episodes = int(state["count"])

    def _unfinished(self) -> dict[str, Array]:
        """Return what is known of the episodes under way, (env,) each, by the names of a saved state."""
        return {"returns": self.returns, "lengths": self.lengths, "whole": self.whole}
