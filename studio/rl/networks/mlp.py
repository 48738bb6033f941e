"""Multilayer perceptrons with tanh between the layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn


def network(widths: list[int], gain: float) -> nn.Sequential:
    """Return a tanh network with orthogonal weights; ``gain`` is the last layer's."""
    layers: list[nn.Module] = []
    for i, (n, m) in enumerate(pairwise(widths)):
        layer = nn.Linear(n, m)
        nn.init.orthogonal_(layer.weight, gain if i == len(widths) - 2 else math.sqrt(2))
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def unwrapped(layers: nn.Sequential) -> Callable[[Tensor], Tensor]:
    """Return a :func:`network` as a plain function, with the same result bit for bit.

    For a few rows the overhead of calling modules exceeds that of the matrix products. Not for gradients. Weights that
    change in place change here too.
    """
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    *hidden, (last, bias) = [(layer.weight.detach().t(), layer.bias.detach()) for layer in linear]

    def run(rows: Tensor) -> Tensor:
        for weight, shift in hidden:
            rows = torch.addmm(shift, rows, weight).tanh_()
        return torch.addmm(bias, rows, last)

    return run
