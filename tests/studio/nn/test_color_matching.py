"""Colors are matched in mean and spread, and an encoder that is recolored sees them as it saw the source's."""

from __future__ import annotations

import copy

import torch

from studio.nn.color_matching import color_change
from studio.nn.encoders import Encoder


def images(low: int, high: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, (6, 20, 20, 3), generator=generator, dtype=torch.uint8)


def test_the_change_undoes_a_gain_and_a_shift_of_each_color() -> None:
    source = images(0, 100)
    target = (source.float() * torch.tensor([2.0, 1.0, 0.5]) + torch.tensor([10.0, 0.0, 40.0])).round().to(torch.uint8)
    gain, offset = color_change(source, target)
    torch.testing.assert_close(gain, torch.tensor([0.5, 1.0, 2.0]), atol=5e-3, rtol=0)
    torch.testing.assert_close(offset, torch.tensor([-5.0, 0.0, -80.0]) / 255, atol=3e-3, rtol=0)


def test_a_color_that_does_not_vary_is_only_shifted() -> None:
    gain, offset = color_change(images(0, 100), torch.full((2, 4, 4, 3), 255, dtype=torch.uint8))
    assert torch.equal(gain, torch.ones(3)) and (offset < -0.7).all()


def test_a_recolored_first_layer_gives_for_the_target_what_it_gave_for_the_source() -> None:
    torch.manual_seed(0)
    net = Encoder(4, 3, 8)
    fixed, target = copy.deepcopy(net), images(0, 120)
    gain, offset = torch.tensor([2.0, 1.5, 0.5]), torch.tensor([0.1, -0.2, 0.3])
    net.recolor(gain, offset)
    seen = target.permute(0, 3, 1, 2).float() / 255
    wanted = fixed.first_layer(seen * gain[:, None, None] + offset[:, None, None] - 0.5)
    inside = (..., slice(1, -1), slice(1, -1))  # at the edges the padding differs
    torch.testing.assert_close(net.first_layer(seen - 0.5)[inside], wanted[inside])
