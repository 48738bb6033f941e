"""Generalized advantage estimation."""

from __future__ import annotations

import torch
from torch import Tensor


def gae(rewards: Tensor, values: Tensor, next_values: Tensor, ended: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    """Return advantages, (time, env). Source: Schulman et al. 2016 (arXiv:1506.02438), equation 16.

    Args:
        next_values: value of the state that each step led to, before any reset: 0 where the episode terminated, the
            value of the last state where it was truncated.
        ended: whether the episode ended with the step, so that nothing of the next one flows back.
    """
    deltas = rewards + gamma * next_values - values
    decay = gamma * gae_lambda * (1 - ended.to(deltas.dtype))
    advantages, following = torch.empty_like(deltas), torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        following = torch.addcmul(deltas[t], decay[t], following, out=advantages[t])
    return advantages
