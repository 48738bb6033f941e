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
    """Collects with a memory that lasts for a trial of the world, or for an episode where it has no trials (Duan et al.
    2016, RL², arXiv:1611.02779).

    Within a trial returns continue into the next episode. A rollout whose length is a multiple of a trial's longest
    consists of whole trials, as far as no episode ends early: simulations then start together, and the network is
    unrolled over long sequences.
    """

    policy: RecurrentActorCritic

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.statistics = EpisodeStatistics(self.world, self.trial)
        self._memory = torch.zeros(self.world.num_envs, self.policy.memory_width, device=self.device)

    @property
    def trial(self) -> int:
        """Return how many episodes memory and returns extend over."""
        return 1 if self.world.trials is None else self.world.trials.k

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
        return RecurrentRollout(**super().collect().columns(), memory=before, fresh=self._fresh)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next rollout depends on but the policy, the generator and the world's trials."""
        return super().state_dict() | {"memory": self._memory.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        self._memory = state["memory"].to(self.device)

    def _features(self, normalized: Tensor) -> Tensor:
        features, self._memory = self.policy.remember(normalized, self._memory)
        self._memories.append(self._memory)
        return features

    def _next_features(self, normalized: Tensor, after: Tensor | None) -> Tensor:
        memory = self._memories[-1] if after is None else torch.stack(self._memories)[after]
        return self.policy.remember(normalized, memory)[0]

    def _ends(self, t: int, terminated: Array, truncated: Array) -> tuple[Array, Array]:
        """Return where trials end, and clear the memory there."""
        over = terminated | truncated
        if self.world.trials is not None:  # it counts the episodes that follow already: 0 is a new trial's
            over &= self.world.trials.episode == 0
        if over.any():
            fresh = torch.from_numpy(over)
            self._memory = self._memory.masked_fill(fresh.to(self.device)[:, None], 0.0)
            if t + 1 < self.length:
                self._fresh[t + 1] = fresh
        return terminated & over, truncated & over
