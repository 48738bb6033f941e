"""Advantages of each task's own trajectories, by a baseline that is fitted to their returns in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from studio.rl.advantages import gae

RIDGE = 1e-5  # of the baseline's weights, a row
TIME_SCALE = 100.0  # steps


def task_advantages(
    rewards: Tensor, observations: Tensor, playing: Tensor, gamma: float, gae_lambda: float
) -> tuple[Tensor, Tensor]:
    """Return normalized advantages, (tasks, time, episodes), 0 where the episode is over; and what they were divided
    by, (tasks,).

    Advantages have mean 0 and deviation 1 over each task's steps, so that an inner rate fits every scale of rewards.

    Args:
        rewards: (tasks, time, episodes).
        observations: those acted on, (tasks, time, episodes, width), normalized.
        playing: whether the episode was going on, (tasks, time, episodes), 0 or 1.
    """
    rewards = rewards * playing
    values = linear_baseline(observations, discounted(rewards, gamma), playing) * playing
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1)
    earned, value, next_value = (part.transpose(0, 1) for part in (rewards, values, following))
    found = gae(earned, value, next_value, torch.zeros_like(earned), gamma, gae_lambda).transpose(0, 1)
    count = playing.sum((1, 2), keepdim=True)
    mean = (found * playing).sum((1, 2), keepdim=True) / count
    deviation = (((found - mean) * playing).square().sum((1, 2), keepdim=True) / count).sqrt()
    return (found - mean) * playing / (deviation + 1e-8), deviation.flatten()


def linear_baseline(observations: Tensor, returns: Tensor, playing: Tensor) -> Tensor:
    """Return expected returns, (tasks, time, episodes): of each task a linear function of the observations, their
    squares and powers of the time, fitted to its returns by ridge regression.

    Source: Duan et al. 2016 (arXiv:1604.06778), supplement, section 2: the "linear feature baseline".

    Args:
        observations, playing: as :func:`task_advantages` has them.
        returns: from each step on, (tasks, time, episodes).
    """
    tasks, time, episodes, _ = observations.shape
    moment = torch.arange(time, device=returns.device, dtype=torch.float64).div(TIME_SCALE)[:, None, None]
    clock = torch.cat([moment**power for power in range(4)], -1).expand(tasks, time, episodes, 4)
    seen = observations.double()
    features = torch.cat([seen, seen.square(), clock], -1) * playing[..., None]
    rows, targets = features.flatten(1, 2), (returns * playing).double().flatten(1, 2)[..., None]
    gram = rows.mT @ rows
    ridge = RIDGE * rows.shape[1] * torch.eye(rows.shape[2], dtype=gram.dtype, device=gram.device)
    weights = torch.linalg.solve(gram + ridge, rows.mT @ targets)
    return (rows @ weights).view(tasks, time, episodes).to(returns.dtype)


def discounted(rewards: Tensor, gamma: float) -> Tensor:
    """Return the discounted sum of the rewards, (tasks, time, …), from each step on."""
    returns, following = torch.empty_like(rewards), torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        following = rewards[:, t] + gamma * following
        returns[:, t] = following
    return returns


def standardized(returns: Tensor) -> Tensor:
    """Return each task's episodes' returns, (tasks, episodes), with mean 0 and deviation 1."""
    centered = returns - returns.mean(1, keepdim=True)
    return centered / (centered.square().mean(1, keepdim=True).sqrt() + 1e-8)
