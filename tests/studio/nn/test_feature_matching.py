"""Feature matching recovers what distinguishes two samples of one distribution, and changes nothing else."""

from __future__ import annotations

import copy

import torch
from torch import nn

from studio.nn.feature_matching import FeatureMatching


def test_shift_between_the_domains_is_undone_by_the_bias_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    encoder = nn.Linear(2, 2)
    nn.init.eye_(encoder.weight)
    nn.init.zeros_(encoder.bias)
    fixed, before = copy.deepcopy(encoder), encoder.weight.clone()
    source, target = torch.randn(400, 2, generator=generator), torch.randn(400, 2, generator=generator)
    shift = torch.tensor([1.5, -0.5])
    learner = FeatureMatching(encoder, fixed, [encoder.bias], rate=0.05, batch=64, steps=60, generator=generator)
    first, last = learner.learn(source, target + shift), learner.learn(source, target + shift)
    assert last["matching_loss"] < 0.1 * first["matching_loss"]
    torch.testing.assert_close(encoder.bias.detach(), -shift, atol=0.25, rtol=0)
    assert torch.equal(encoder.weight, before)
