"""SNAIL's network: causal, the same step by step and unrolled, and blind to earlier trials."""

from __future__ import annotations

import numpy as np
import torch

from studio.meta.snail import Snail, SnailActorCritic


def policy() -> SnailActorCritic:
    made = SnailActorCritic(SnailActorCritic.Params(width=8, hidden=8, filters=4, length=6))
    made.fit(3, -np.ones(2, np.float32), np.ones(2, np.float32), 0)
    return made


def test_snail_sees_no_later_step() -> None:
    network, steps = Snail(3, 8, 4, 6), torch.randn(2, 6, 3)
    changed = steps.clone()
    changed[:, 4:] += 1
    torch.testing.assert_close(network(steps)[:, :4], network(changed)[:, :4])
    assert (network(steps)[:, 4] - network(changed)[:, 4]).abs().max() > 1e-3
    changed = steps.clone()
    changed[:, 0] += 1
    assert (network(steps)[:, 5] - network(changed)[:, 5]).abs().max() > 1e-4  # the first step reaches the last


def test_snail_unrolled_is_snail_step_by_step() -> None:
    """Over trials that end at different times, with a memory from before; and nothing passes a trial's end."""
    made, time, envs = policy(), 9, 3
    seen, fresh = torch.randn(time, envs, 3), torch.zeros(time, envs, dtype=torch.bool)
    fresh[2, 0] = fresh[4, 1] = fresh[6, 0] = fresh[0, 2] = fresh[5, 2] = True
    memory = torch.zeros(envs, made.memory_width)
    for _ in range(2):
        memory = made.remember(torch.randn(envs, 3), memory)[1]
    memory[2] = 0
    with torch.no_grad():
        found, expected, present = made.unrolled(seen, memory, fresh), [], memory
        for t in range(time):
            present = present.masked_fill(fresh[t][:, None], 0.0)
            features, present = made.remember(seen[t], present)
            expected.append(features)
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-4, atol=1e-5)
