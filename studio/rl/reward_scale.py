"""Rewards in the scale that a critic learns in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from studio.nn.running_mean_std import RunningMeanStd


class RewardScale:
    """Rewards over the standard deviation of the discounted return (as Gymnasium's NormalizeReward), within ±10.

    Args:
        moments: of the discounted returns seen; the policy's, for its critic speaks in this scale.
        envs: simulations.
    """

    def __init__(self, moments: RunningMeanStd, envs: int, gamma: float) -> None:
        self.moments, self.gamma = moments, gamma
        self.discounted = torch.zeros(envs, dtype=torch.float64, device=moments.mean.device)  # newest reward first

    def __call__(self, rewards: Tensor, ended: Tensor) -> Tensor:
        """Rewards (time, env) of consecutive steps, which counts them in; ``ended``: which steps ended an episode."""
        discounted, keep = torch.empty_like(rewards), 1 - ended.to(rewards.dtype)
        for t in range(len(rewards)):
            discounted[t] = self.discounted * self.gamma + rewards[t]
            self.discounted = discounted[t] * keep[t]
        self.moments.update(discounted.reshape(-1, 1))
        return self.scaled(rewards)

    def scaled(self, rewards: Tensor) -> Tensor:
        """Rewards (…,) in the present scale, float32."""
        return (rewards.float() * self.moments.scale()).clamp_(-10, 10)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the moments, which are saved with the policy."""
        return {"discounted": self.discounted.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        self.discounted = state["discounted"].to(self.discounted.device)
