"""Collects samples of a recurrent policy, whose memory lasts for an episode or for a trial of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.rl.collectors.episode_statistics import EpisodeStatistics
from studio.rl.collectors.rollouts import Rollout, RolloutCollector
from studio.rl.networks.recurrent import RecurrentActorCritic

Array = np.ndarray


@dataclass
class RecurrentRollout(Rollout):
    """A rollout with the memory before it, (env, memory_width), and where it is cleared, (time, env) bool."""

    memory: Tensor
    fresh: Tensor


class RecurrentRollouts(RolloutCollector):
    """Collects with a memory that lasts for a trial (Duan et al. 2016, RL², arXiv:1611.02779).

    Within a trial the task's context is held, and returns continue into the next episode. A rollout whose length is a
    multiple of a trial's longest consists of whole trials, as far as no episode ends early: simulations then start
    together, and the network is unrolled over long sequences.

    Args:
        trial: number of episodes of a trial.
    """

    policy: RecurrentActorCritic

    def __init__(self, *given: Any, trial: int = 1, **named: Any) -> None:
        self.trial = trial
        super().__init__(*given, **named)
        self.statistics = EpisodeStatistics(self.world, trial)
        self._memory = torch.zeros(self.world.num_envs, self.policy.memory_width, device=self.device)
        self._episode = np.zeros(self.world.num_envs, int)  # index within the trial
        self._hold_contexts()

    @property
    def staggered(self) -> bool:
        """Return whether simulations start at different times of an episode."""
        return self.length % (self.trial * self.world.task.horizon) != 0

    @torch.no_grad()
    def collect(self) -> RecurrentRollout:
        """Return the next ``length`` steps of every simulation."""
        before = self._memory
        self._memories: list[Tensor] = []  # after each step
        self._fresh = torch.zeros(self.length, len(before), dtype=torch.bool)
        return RecurrentRollout(**vars(super().collect()), memory=before, fresh=self._fresh)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next rollout depends on but the policy and the generator."""
        own = {"memory": self._memory.clone(), "episode": torch.from_numpy(self._episode.copy())}
        return super().state_dict() | own

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        self._memory, self._episode = state["memory"].to(self.device), state["episode"].cpu().numpy().copy()
        self._hold_contexts()

    def _features(self, normalized: Tensor) -> Tensor:
        features, self._memory = self.policy.remember(normalized, self._memory)
        self._memories.append(self._memory)
        return features

    def _next_features(self, normalized: Tensor, after: Tensor | None) -> Tensor:
        memory = self._memories[-1] if after is None else torch.stack(self._memories)[after]
        return self.policy.remember(normalized, memory)[0]

    def _ends(self, t: int, terminated: Array, truncated: Array) -> tuple[Array, Array]:
        """Return where trials end, and clear the memory there."""
        ended = terminated | truncated
        self._episode[ended] += 1
        over = ended & (self._episode >= self.trial)
        self._episode[over] = 0
        self._hold_contexts()
        if over.any():
            fresh = torch.from_numpy(over)
            self._memory = self._memory.masked_fill(fresh.to(self.device)[:, None], 0.0)
            if t + 1 < self.length:
                self._fresh[t + 1] = fresh
        return terminated & over, truncated & over

    def _hold_contexts(self) -> None:
        """Make the world keep the context of every simulation whose trial continues after its present episode."""
        self.world.keeps_context[:] = self._episode + 1 < self.trial
