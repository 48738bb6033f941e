"""Generalized advantage estimation."""

from __future__ import annotations

import torch
from torch import Tensor


def gae(rewards: Tensor, values: Tensor, next_values: Tensor, ended: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    """Advantages, (time, env), by Schulman et al. 2016 (arXiv:1506.02438), equation 16.

    Args:
        next_values: value of the state each step led to, before any reset: 0 where the episode terminated, the value
            of the last state where time ran out.
        ended: whether the episode ended with the step; nothing is carried over from the next one.
    """
    deltas = rewards + gamma * next_values - values
    carry = gamma * gae_lambda * (1 - ended.to(deltas.dtype))
    advantages, following = torch.empty_like(deltas), torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        following = torch.addcmul(deltas[t], carry[t], following, out=advantages[t])
    return advantages
