"""All trainable parameters of a module as one vector: an optimizer's step is a few operations, whatever the layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FlatParameters:
    """Moves a module's parameters into one vector of which they become views: changing it changes the module.

    Frozen parameters, which require no gradient, stay where they are.
    """

    def __init__(self, module: nn.Module) -> None:
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.names = list(named)
        self.shapes = [p.shape for p in named.values()]
        self.sizes = [p.numel() for p in named.values()]
        self.vector = torch.cat([p.detach().reshape(-1) for p in named.values()]).clone()
        for name, view in self.unflatten(self.vector).items():
            named[name].data = view

    def unflatten(self, vector: Tensor) -> dict[str, Tensor]:
        """Views of a vector under the parameters' names. Differentiable."""
        parts = vector.split(self.sizes)
        return {n: part.view(shape) for n, part, shape in zip(self.names, parts, self.shapes, strict=True)}
