"""Normalization of rewards by the spread of returns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from studio.nn.running_mean_std import RunningMeanStd


class RewardScale:
    """Divides rewards by the standard deviation of the discounted return (as Gymnasium's NormalizeReward), within ±10.

    Args:
        moments: statistics of the discounted returns. They are saved with the policy, whose critic learns this scale.
        envs: number of simulations.
    """

    def __init__(self, moments: RunningMeanStd, envs: int, gamma: float) -> None:
        self.moments, self.gamma = moments, gamma
        self.discounted = torch.zeros(envs, dtype=torch.float64, device=moments.mean.device)  # newest reward first

    def __call__(self, rewards: Tensor, ended: Tensor) -> Tensor:
        """Update the statistics with rewards (time, env) of consecutive steps and return them scaled, float32.

        Args:
            ended: which steps ended an episode, (time, env).
        """
        discounted, continues = torch.empty_like(rewards), 1 - ended.to(rewards.dtype)
        for t in range(len(rewards)):
            discounted[t] = self.discounted * self.gamma + rewards[t]
            self.discounted = discounted[t] * continues[t]
        self.moments.update(discounted.reshape(-1, 1))
        return self.scaled(rewards)

    def scaled(self, rewards: Tensor) -> Tensor:
        """Return rewards (…,) in the present scale, float32."""
        return (rewards.float() * self.moments.scale()).clamp_(-10, 10)

    def state_dict(self) -> dict[str, Any]:
        """Return all but the statistics, which are saved with the policy."""
        return {"discounted": self.discounted.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.discounted = state["discounted"].to(self.discounted.device)
