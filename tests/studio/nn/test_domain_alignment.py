"""Adversarial features: a discriminator that learns where domains differ, a gradient that turns, distances, probes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.spatial.distance import pdist, squareform
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from studio.contracts import Batch, Outputs
from studio.nn.correlation_alignment import alignment
from studio.nn.domain_alignment import (
    BANDWIDTHS,
    DiscrepancyLoss,
    Discriminator,
    DomainAdversarialLoss,
    EmbodimentAdversarialLoss,
    class_probe,
    domain_accuracy,
    domain_loss,
    mmd,
    probe,
    reverse_gradient,
)


def two(shift: float, n: int = 400, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Samples of two normal distributions in the plane, ``shift`` apart along the first axis."""
    generator = torch.Generator().manual_seed(seed)
    one, other = torch.randn(2, n, 2, generator=generator)
    other[:, 0] += shift
    return one, other


@pytest.mark.parametrize(("shift", "low", "high"), [(6.0, 0.97, 1.0), (0.0, 0.4, 0.6)])
def test_a_discriminator_tells_domains_apart_only_where_they_differ(shift: float, low: float, high: float) -> None:
    torch.manual_seed(0)
    net = Discriminator(2, 16)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    one, other = two(shift)
    for _ in range(150):
        optimizer.zero_grad()
        domain_loss(net(one), net(other)).backward()
        optimizer.step()
    with torch.no_grad():
        fresh = [net(part) for part in two(shift, 4000, seed=1)]
    assert low <= domain_accuracy(*fresh).item() <= high


def test_either_domain_weighs_half() -> None:
    few, many = torch.full((2,), -5.0), torch.full((200,), -5.0)  # all classified as the source's
    assert domain_accuracy(few, many).item() == 0.5
    right, wrong = torch.nn.functional.softplus(torch.tensor([-5.0, 5.0])).tolist()
    assert domain_loss(few, many).item() == pytest.approx((right + wrong) / 2)


def test_the_gradient_turns_and_is_weighed() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = reverse_gradient(x, 0.5)
    assert torch.equal(y, x)
    (y * torch.tensor([3.0, -4.0])).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [-1.5, 2.0]


def test_an_encoder_behind_a_turned_gradient_takes_the_domains_together() -> None:
    torch.manual_seed(0)
    net, move = Discriminator(2, 16), nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.Adam([*net.parameters(), move], 1e-2, betas=(0.5, 0.999))
    one, other = two(3.0)
    for _ in range(400):
        optimizer.zero_grad()
        domain_loss(net(one), net(reverse_gradient(other + move, 1.0))).backward()
        optimizer.step()
    assert move[0].item() == pytest.approx(-3.0, abs=0.6) and abs(move[1].item()) < 0.6
    assert mmd(one, (other + move).detach()).item() < 0.05 * mmd(one, other).item()


def test_distance_is_none_between_samples_of_one_distribution_and_grows_with_their_shift() -> None:
    found = [mmd(*two(shift)).item() for shift in (0.0, 1.0, 3.0)]
    assert abs(found[0]) < 0.01 < found[1] < found[2]


def test_a_probe_reads_what_is_linear_on_rows_it_has_not_seen() -> None:
    torch.manual_seed(0)
    features, noise = torch.randn(400, 5), torch.randn(400)
    readable = features @ torch.tensor([1.0, -2.0, 0.0, 0.5, 3.0]) + 4
    assert probe(features, readable) > 0.99
    assert probe(features, readable + readable.std() * noise) == pytest.approx(0.5, abs=0.12)
    assert probe(features, noise) < 0.1
    both = torch.stack([readable, readable + readable.std() * noise], 1)
    assert probe(features, both) == pytest.approx((probe(features, both[:, 0]) + probe(features, both[:, 1])) / 2)


@pytest.mark.parametrize("progress", [0.0, 0.1, 1.0])
def test_adversarial_loss_reverses_the_features_gradient(progress: float) -> None:
    torch.manual_seed(0)
    loss = DomainAdversarialLoss(4, 8, weight=0.5)
    features = torch.randn(6, 4, requires_grad=True)
    domain = torch.tensor([0, 0, 0, 1, 1, 2])
    batch = Batch({}, torch.zeros(6, 1), domain, domain, progress=progress)
    value, logged = loss(Outputs(features, features), batch)
    value.backward()
    logits = loss.discriminator(plain := features.detach().clone().requires_grad_())
    straight = domain_loss(logits[3:], logits[:3])
    (wanted,) = torch.autograd.grad(straight, plain)
    factor = -0.5 * (2 / (1 + math.exp(-10 * progress)) - 1)
    torch.testing.assert_close(features.grad, factor * wanted)
    assert value.item() == pytest.approx(straight.item()) and 0 <= logged["domain_accuracy"] <= 1


def test_embodiment_loss_weighs_each_embodiment_alike() -> None:
    torch.manual_seed(0)
    loss = EmbodimentAdversarialLoss(4, embodiments=4, width=8, weight=0.5)
    features = torch.randn(7, 4, requires_grad=True)
    robot = torch.tensor([0, 0, 0, 0, 1, 3, 3])  # the third of four is not in this batch
    value, logged = loss(Outputs(features, features), Batch({}, torch.zeros(7, 1), robot, robot, progress=1.0))
    value.backward()
    logits = loss.classifier(plain := features.detach().clone().requires_grad_())
    straight = torch.stack([cross_entropy(logits[robot == row], robot[robot == row]) for row in (0, 1, 3)]).mean()
    (wanted,) = torch.autograd.grad(straight, plain)
    torch.testing.assert_close(features.grad, -0.5 * (2 / (1 + math.exp(-10)) - 1) * wanted)
    assert value.item() == pytest.approx(straight.item()) and 0 <= logged["embodiment_accuracy"] <= 1


def test_discrepancy_loss_pulls_the_domains_together() -> None:
    one, other = two(2.0, n=40)
    move = nn.Parameter(torch.zeros(2))
    optimizer, loss = torch.optim.Adam([move], 0.05), DiscrepancyLoss(1.0)
    domain = torch.cat([torch.ones(len(one)), torch.zeros(len(other))]).long()
    batch = Batch({}, torch.zeros(len(domain), 1), domain, domain, progress=1.0)
    for _ in range(120):
        features = torch.cat([one, other + move])
        optimizer.zero_grad()
        loss(Outputs(features, features), batch)[0].backward()
        optimizer.step()
    assert mmd(one, (other + move).detach()).item() < 0.05 * mmd(one, other).item()
    torch.testing.assert_close(move.detach(), (one - other).mean(0), atol=0.15, rtol=0)


def test_mmd_agrees_with_scipys_distances() -> None:
    one, other = two(1.0, n=40)
    rows = torch.cat([one, other]).double()
    apart = pdist(rows.numpy(), "sqeuclidean")
    # the lower of two middle values, as torch.median takes it
    scale = np.partition(apart, (len(apart) - 1) // 2)[(len(apart) - 1) // 2]
    kernel = np.mean([np.exp(-squareform(apart) / (scale * factor)) for factor in BANDWIDTHS], 0)
    n = len(one)
    within = [(block.sum() - n) / (n * (n - 1)) for block in (kernel[:n, :n], kernel[n:, n:])]
    assert mmd(one.double(), other.double()).item() == pytest.approx(sum(within) - 2 * kernel[:n, n:].mean())


def test_class_probe_finds_what_separates_classes_and_nothing_in_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(3).repeat(400)
    noise = torch.randn(1200, 8, generator=generator)
    apart = noise + 6 * torch.nn.functional.one_hot(labels, 8)
    assert class_probe(apart, labels) > 0.99
    assert abs(class_probe(noise, labels[torch.randperm(1200, generator=generator)]) - 1 / 3) < 0.08
    assert math.isnan(class_probe(noise, torch.zeros(1200, dtype=torch.long)))


def test_correlation_alignment_gives_the_target_mean_and_covariance() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(2, 1, (400, 4)), rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) - 1
    moved = alignment(torch.from_numpy(x), torch.from_numpy(y), 1e-9)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(moved.mean(0), y.mean(0), atol=1e-9)
    np.testing.assert_allclose(np.cov(moved.T), np.cov(y.T), rtol=1e-6, atol=1e-7)
    ridge = 0.3 * x.var(0, ddof=1).mean() * np.eye(4)
    matrix = np.linalg.inv(sqrtm(np.cov(x.T) + ridge)) @ sqrtm(np.cov(y.T) + ridge)
    found = alignment(torch.from_numpy(x), torch.from_numpy(y), 0.3)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, (x - x.mean(0)) @ matrix + y.mean(0), atol=1e-7)
