"""Feature points behind an affine map: the identity at first, written as it was computed, and a shift is found."""

from __future__ import annotations

import copy

import torch

from studio.nn.encoders import Encoder
from studio.nn.feature_matching import FeatureMatching
from studio.nn.point_placement import PointPlacement


def encoder() -> Encoder:
    torch.manual_seed(0)
    made = Encoder(4, 3, 8)
    torch.nn.init.constant_(made.log_temperature, 4.0)
    return made


def spots(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return images (n, 24, 24, 3) with a bright square at pixel (x, y)."""
    across, down = torch.arange(24)[None, None], torch.arange(24)[None, :, None]
    inside = ((across - x[:, None, None]).abs() <= 1) & ((down - y[:, None, None]).abs() <= 1)
    return (inside[..., None] * torch.tensor([255, 120, 60])).to(torch.uint8)


def test_the_map_starts_as_the_identity_and_is_written_into_the_last_layer() -> None:
    net, generator = encoder(), torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (5, 24, 24, 3), generator=generator, dtype=torch.uint8)
    before, placed = net(images), PointPlacement(net)
    torch.testing.assert_close(placed(images), before)
    with torch.no_grad():
        placed.matrix.copy_(torch.tensor([[0.8, 0.3], [-0.2, 1.1]]))
        placed.shift.copy_(torch.tensor([0.2, -0.4]))
    points: list[torch.Tensor] = []
    net.last.register_forward_pre_hook(lambda _, given: points.append(given[0].detach()))
    wanted = placed(images)
    x, y = points[0].chunk(2, 1)
    moved = torch.cat([0.8 * x + 0.3 * y + 0.2, -0.2 * x + 1.1 * y - 0.4], 1)
    by_hand = torch.tanh(moved @ placed.weight.T + placed.bias)
    torch.testing.assert_close(wanted, by_hand)
    placed.write()
    torch.testing.assert_close(net(images), wanted)


def test_a_shifted_image_is_made_up_for_without_pairs() -> None:
    net, generator = encoder(), torch.Generator().manual_seed(2)
    for layer, brightness in ((net.convolutions[0], 1.5), (net.convolutions[2], 0.0)):  # every point finds the square
        middle = layer.weight.shape[-1] // 2
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.ones_(layer.weight[:, :, middle, middle])
        torch.nn.init.constant_(layer.bias, brightness)
    fixed, placed = copy.deepcopy(net), PointPlacement(net)
    x, y = torch.randint(4, 16, (2, 400), generator=generator)
    learner = FeatureMatching(
        placed, fixed, list(placed.parameters()), rate=0.03, batch=128, steps=80, generator=generator
    )
    source, target = spots(x, y), spots(x + 4, y)
    apart = (fixed(source) - placed(target)).square().mean()
    learner.learn(source[:200], target[200:])
    assert (fixed(source) - placed(target)).square().mean() < 0.15 * apart
