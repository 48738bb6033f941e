"""PEARL's update: its settings decide what it computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.meta.latent_policy import LatentActorCritic
from studio.meta.pearl_update import PEARLParams, PEARLUpdate


def test_bf16_changes_the_products_of_actor_and_critics_by_its_rounding() -> None:
    torch.manual_seed(0)
    tasks, n, support, width = 2, 8, 4, {"observations": 3, "actions": 1, "rewards": 1, "next_observations": 3}
    batch = {name: torch.randn(tasks, n, size) for name, size in width.items()}
    batch["discounts"] = torch.full((tasks, n, 1), 0.9)
    given = torch.randn(tasks, support, 5), torch.ones(tasks, n, support), torch.randn(tasks, n, 2)
    noise, found = torch.randn(2, tasks * n, 1), []
    for precision in ("fp32", "bf16"):
        policy = LatentActorCritic(LatentActorCritic.Params(width=16, encoder_width=8, latent=2))
        policy.fit(3, -np.ones(1), np.ones(1), 0)
        update = PEARLUpdate(policy, PEARLParams(precision=precision))
        found.append(update.step(batch, *given, noise)[:2])  # the losses of critics and actor
    assert found[1].tolist() == pytest.approx(found[0].tolist(), rel=0.02)
    assert not torch.allclose(*found, rtol=1e-5)
