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
    """A rollout with the memory before it, (env, memory_width), where it is cleared, (time, env) bool, and the
    normalized contexts of the tasks, (time · env, context), whose width is 0 if the critic does not read them."""

    memory: Tensor
    fresh: Tensor
    contexts: Tensor

    def columns(self) -> dict[str, Tensor]:
        return {**super().columns(), "contexts": self.contexts}


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
        self._contexts: list[Array] = []  # of each step
        self._fresh = torch.zeros(self.length, len(before), dtype=torch.bool)
        found = super().collect().columns()
        contexts = np.concatenate(self._contexts)
        normalized = self._normalized_contexts(contexts)
        if self.policy.params.context:
            self.policy.contexts.update(torch.from_numpy(contexts).to(self.device))
        return RecurrentRollout(**found, memory=before, fresh=self._fresh, contexts=normalized)

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
        self._contexts.append(self.world.contexts.copy())
        return features

    def _next_features(self, normalized: Tensor, after: Tensor | None) -> Tensor:
        memory = self._memories[-1] if after is None else torch.stack(self._memories)[after]
        contexts = self.world.contexts if after is None else np.stack(self._contexts)[after.cpu().numpy()]
        return self._critic_inputs(self.policy.remember(normalized, memory)[0], contexts)

    def _values(self, features: Tensor, last: Array, bootstrapped: Array) -> tuple[Tensor, Tensor]:
        return super()._values(self._critic_inputs(features, np.stack(self._contexts)), last, bootstrapped)

    def _critic_inputs(self, features: Tensor, contexts: Array) -> Tensor:
        return self.policy.critic_inputs(features, self._normalized_contexts(contexts))

    def _normalized_contexts(self, contexts: Array) -> Tensor:
        """Return contexts (…, width of ω) as the critic reads them; of width 0 if it does not."""
        if not self.policy.params.context:
            return torch.empty(*contexts.shape[:-1], 0, device=self.device)
        normalized: Tensor = self.policy.contexts(torch.from_numpy(contexts).float().to(self.device))
        return normalized

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
