"""What SAC's update comes to where the best policy is known: no successor, a quadratic reward."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.rl.algorithms.sac import SACParams, SACUpdate
from studio.rl.networks.squashed import SquashedActorCritic

STEEPNESS = 10.0  # of the reward, −10 (a − a*)², whose best action a* depends on the state
VARIANCE = np.exp(2 * -1) / (2 * np.pi * np.e)  # of a normal whose entropy is the target's −1
ALPHA = 2 * STEEPNESS * VARIANCE  # the best policy, ∝ exp(reward / α), is that normal at 0.158


def test_actions_entropy_and_temperature_come_to_where_theory_has_them() -> None:
    torch.set_num_threads(1)
    policy = SquashedActorCritic(SquashedActorCritic.Params(width=64))
    policy.fit(2, -np.ones(1), np.ones(1), 0)
    update = SACUpdate(policy, SACParams(learning_rate=2e-3, alpha=0.3))
    generator, n = torch.Generator().manual_seed(0), 128
    for _ in range(1000):
        seen = torch.rand(n, 2, generator=generator) * 2 - 1
        actions = torch.rand(n, 1, generator=generator) * 2 - 1
        batch = {
            "observations": seen, "actions": actions, "rewards": -STEEPNESS * (actions - 0.4 * seen[:, :1]).square(),
            "next_observations": seen, "discounts": torch.zeros(n, 1),
        }  # fmt: skip
        update.step(batch, torch.randn(2, n, 1, generator=generator))
    seen = (torch.rand(500, 2, generator=generator) * 2 - 1).numpy()
    actions, _ = policy.act({"state": seen})
    assert np.abs(actions - 0.4 * seen[:, :1]).mean() < 0.06
    assert policy.entropy({"state": seen}).mean() == pytest.approx(-1, abs=0.2)
    assert update.log_alpha.exp().item() == pytest.approx(ALPHA, rel=0.1)
