"""Posteriors of a latent variable: closed forms, the order of transitions, an empty support."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from studio.meta.posterior import kl_to_prior, normal_product
from studio.meta.task_encoder import FactorEncoder, RecurrentEncoder

KINDS = [FactorEncoder, RecurrentEncoder]


def encoder_of(kind: type) -> torch.nn.Module:
    torch.manual_seed(0)
    encoder: torch.nn.Module = kind(5, 2, 8, 1)
    return encoder


def test_normal_product_is_the_normalized_product_of_densities() -> None:
    means, precisions = torch.tensor([[0.5], [-1.0], [2.0]]), torch.tensor([[4.0], [1.0], [0.5]])
    mean, variance = normal_product(precisions.sum(0), (precisions * means).sum(0))
    grid = torch.linspace(-8, 8, 40_001, dtype=torch.float64)[:, None]
    density = sum(Normal(m, p**-0.5).log_prob(grid) for m, p in zip(means, precisions, strict=True))
    density = (density + Normal(0.0, 1.0).log_prob(grid)).exp()
    density /= density.sum()
    found = (density * grid).sum()
    assert mean.item() == pytest.approx(found.item(), abs=1e-6)
    assert variance.item() == pytest.approx((density * (grid - found) ** 2).sum().item(), abs=1e-6)


def test_kl_to_prior_equals_torch_distributions() -> None:
    mean, variance = torch.tensor([[0.3, -2.0], [0.0, 0.0]]), torch.tensor([[0.2, 3.0], [1.0, 1.0]])
    wanted = kl_divergence(Normal(mean, variance.sqrt()), Normal(torch.zeros(2), torch.ones(2))).sum(-1)
    torch.testing.assert_close(kl_to_prior(mean, variance), wanted)


def test_factor_encoder_ignores_the_order_of_transitions() -> None:
    encoder, support = encoder_of(FactorEncoder), torch.randn(3, 6, 5)
    shuffled = encoder(support[:, torch.randperm(6)], torch.ones(3, 1, 6))
    for found, wanted in zip(shuffled, encoder(support, torch.ones(3, 1, 6)), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_encoder_of_an_empty_support_is_the_prior(kind: type) -> None:
    encoder = encoder_of(kind)
    for mean, variance in (
        encoder(torch.randn(2, 4, 5), torch.zeros(2, 3, 4)),
        encoder.read(torch.zeros(2, 3, encoder.summary_width)),
    ):
        assert torch.equal(mean, torch.zeros(2, 3, 2)) and torch.equal(variance, torch.ones(2, 3, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_encoder_absorbs_what_it_reads_at_once(kind: type) -> None:
    encoder, support = encoder_of(kind), torch.randn(2, 4, 5)
    mask = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    mean, variance = encoder(support, mask.expand(2, 3, 4))
    for part, seen in enumerate(mask):
        summary = torch.zeros(2, encoder.summary_width)
        for t in range(4):
            summary = encoder.absorb(summary, support[:, t], seen[t].expand(2))
        for found, wanted in zip(encoder.read(summary), (mean[:, part], variance[:, part]), strict=True):
            torch.testing.assert_close(found, wanted)
