"""Snapshots of a policy: what they share with it, and what they do not."""

from __future__ import annotations

import torch
from torch import nn

from studio.nn.policy import BasePolicy
from studio.nn.running_mean_std import RunningMeanStd
from studio.nn.snapshot import snapshot


class Adapted(BasePolicy):
    def __init__(self) -> None:
        super().__init__()
        self.base, self.adapter = nn.Linear(3, 4).requires_grad_(False), nn.Linear(4, 2)
        self.moments = RunningMeanStd(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.adapter(self.base(self.moments(x)))


def test_snapshot_shares_frozen_parameters_and_copies_the_rest() -> None:
    policy = Adapted().train()
    copied = snapshot(policy)
    assert copied.base.weight is policy.base.weight and copied.base.bias is policy.base.bias
    own = {tensor.data_ptr() for part in (copied.adapter, copied.moments) for tensor in part.state_dict().values()}
    assert own.isdisjoint(tensor.data_ptr() for tensor in policy.state_dict().values())
    assert not copied.training and policy.training and not copied.base.weight.requires_grad


def test_snapshot_stays_as_it_was_while_the_policy_trains() -> None:
    policy, rows = Adapted(), torch.randn(5, 3)
    copied = snapshot(policy)
    before = copied(rows)
    optimizer = torch.optim.SGD([p for p in policy.parameters() if p.requires_grad], 0.1)
    policy(rows).square().sum().backward()
    optimizer.step()
    policy.moments.update(10 * rows + 3)
    assert torch.equal(copied(rows), before) and not torch.equal(policy(rows), before)


def test_snapshot_copies_companions() -> None:
    class Noted(nn.Module):
        def transition_scores(self) -> None:
            return None

    policy = Adapted()
    policy.attach("note", Noted())
    assert snapshot(policy).companions()["note"] is not policy.companions()["note"]
