"""The hypernetwork head: weights that depend on the memory, and the same outputs step by step and unrolled."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from studio.meta.trial_hypernetwork import GeneratedMLP, TrialHyperActorCritic


def test_generated_network_is_the_one_with_these_weights() -> None:
    torch.manual_seed(0)
    made = GeneratedMLP(3, [4, 5, 2])
    nn.init.normal_(made.generator.weight)
    rows = torch.randn(6, 7)
    for row, found in zip(rows, made(rows), strict=True):
        numbers = made.generator(row[:3])
        first, bias, last, shift = numbers.split([20, 5, 10, 2])
        expected = last.view(2, 5) @ torch.tanh(first.view(5, 4) @ row[3:] + bias) + shift
        torch.testing.assert_close(found, expected)


def test_first_weights_are_the_same_for_every_memory_and_then_learn_from_it() -> None:
    torch.manual_seed(0)
    made, seen = GeneratedMLP(3, [4, 8, 2]), torch.randn(1, 4)
    contexts = torch.randn(2, 3)
    one, other = made(torch.cat([contexts, seen.expand(2, 4)], 1))
    assert torch.equal(one, other) and one.abs().max() < 0.1
    made(torch.cat([contexts, seen.expand(2, 4)], 1)).sum().backward()
    assert made.generator.weight.grad is not None and made.generator.weight.grad.abs().max() > 1e-3


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_hypernetwork_policy_unrolled_is_the_policy_step_by_step(cell: Literal["gru", "lstm"]) -> None:
    policy = TrialHyperActorCritic(TrialHyperActorCritic.Params(width=8, hidden=6, base_width=4, cell=cell))
    policy.fit(3, -np.ones(2, np.float32), np.ones(2, np.float32), 0)
    nn.init.normal_(policy.actor.generator.weight)
    seen, fresh = torch.randn(9, 2, 3), torch.zeros(9, 2, dtype=torch.bool)
    fresh[4, 1] = True
    memory = start = torch.randn(2, policy.memory_width)
    distribution, values = policy(seen, start, fresh)
    for t in range(9):
        memory = memory.masked_fill(fresh[t][:, None], 0.0)
        features, memory = policy.remember(seen[t], memory)
        torch.testing.assert_close(policy.actor(features), distribution.means[t])
        torch.testing.assert_close(policy.critic(features)[:, 0], values[t])
