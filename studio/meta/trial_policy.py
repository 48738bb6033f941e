"""Policies that observe what came before: in a trial, and where nothing says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.contracts import Observation
from studio.meta.trials import PREVIOUS
from studio.nn.policy import BasePolicy
from studio.rl.algorithms.recurrent_ppo import RecurrentActorCritic

Array = np.ndarray


class TrialActorCritic(RecurrentActorCritic):
    """As :class:`RecurrentActorCritic`, for the observations of :class:`studio.meta.trials.Trials`.

    In a world without trials, as in a viewer, it takes previous action, reward and end to be unknown: each counts as
    its mean in training.
    """

    id = "trial_gru"
    title = "Trial GRU"
    summary = "Recurrent actor-critic whose memory lasts over the episodes of a trial; for RL²."
    reference = "Duan et al. 2016 (arXiv:1611.02779)"

    def exploring(self, seed: int) -> Callable[[Any, Any], tuple[Array, Any]]:
        """Return what acts as in training: as :meth:`act`, with actions sampled by random numbers of its own."""
        generator = torch.Generator().manual_seed(seed)

        def act(observation: Any, memory: Any) -> tuple[Array, Any]:
            with torch.inference_mode():
                remembered = self._remember(observation, memory)
                means = self.actor(remembered)
                noise = torch.randn(means.shape, generator=generator).to(means)
                return self.native(means + self.log_std.exp() * noise).cpu().numpy(), remembered.cpu().numpy()

        return act

    def _normalized(self, observation: Any) -> Tensor:
        known: Mapping[str, Any] = observation if isinstance(observation, Mapping) else {"state": observation}
        if PREVIOUS[0] in known:
            return super()._normalized(known)
        n = len(next(iter(known.values())))
        widths = dict.fromkeys(PREVIOUS, 1) | {"previous_action": self.params.outputs}
        unknown = {name: np.full((n, width), np.nan, np.float32) for name, width in widths.items()}
        return torch.nan_to_num(super()._normalized({**known, **unknown}), nan=0.0)


class WarmedPolicy(BasePolicy):
    """A policy that begins every episode with what it remembers of a task already.

    Args:
        memory: after the trial's episodes so far, (1, width).
    """

    is_recurrent = True

    def __init__(self, policy: RecurrentActorCritic, memory: Array) -> None:
        super().__init__()
        self.inner, self.params = policy, policy.params
        self._memory = memory

    def act(self, observation: Observation, memory: Any = None) -> tuple[Array, Any]:
        """Return native actions (n, outputs) and the new memory (n, width)."""
        return self.inner.act(observation, self._begun(observation, memory))

    def value(self, observation: Observation, memory: Any = None) -> Array:
        """Return the critic's V, (n,), given the memory before the observation."""
        return self.inner.value(observation, self._begun(observation, memory))

    def entropy(self, observation: Observation, memory: Any = None) -> Array:
        """Return the entropy of what it explores with, (n,), nats."""
        return self.inner.entropy(observation)

    def _begun(self, observation: Observation, memory: Any) -> Any:
        if memory is not None:
            return memory
        return np.repeat(self._memory, len(next(iter(observation.values()))), 0)
