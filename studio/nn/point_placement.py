"""An affine map of an encoder's feature points, for images of a camera that stands elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from studio.nn.encoders import Encoder


class PointPlacement(nn.Module):
    """An encoder whose feature points go through one affine map, the same for all, before its last layer.

    Six numbers that can be learned without pairs of images: unlike a whole layer, they cannot exchange one state's
    features for another's (compare the affine case of Jaderberg et al. 2015, arXiv:1506.02025, section 3.2). The map is
    linear, as the last layer is, so :meth:`write` leaves an encoder of the same shape, with another last layer.

    Args:
        encoder: its last layer as it is now is what the map is put before; (n, h, w, 3) uint8 → (n, features).
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        device = encoder.last.weight.device
        self.matrix = nn.Parameter(torch.eye(2, device=device))
        self.shift = nn.Parameter(torch.zeros(2, device=device))
        self._encoder = (encoder,)  # a tuple keeps it out of this module's parameters
        self.register_buffer("weight", encoder.last.weight.detach().clone(), persistent=False)
        self.register_buffer("bias", encoder.last.bias.detach().clone(), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        weight, bias = self._last()
        features: Tensor = functional_call(self._encoder[0], {"last.weight": weight, "last.bias": bias}, (images,))
        return features

    @torch.no_grad()
    def write(self) -> None:
        """Put the map into the encoder's last layer, so that the encoder alone gives what this module does."""
        last = self._encoder[0].last
        weight, bias = self._last()
        last.weight.copy_(weight)
        last.bias.copy_(bias)

    def _last(self) -> tuple[Tensor, Tensor]:
        """Return the last layer's weight and bias with the map before it: W (A p + b) + c."""
        of_points = self.weight.unflatten(1, (2, -1))  # (features, x or y, points)
        weight = torch.einsum("fip,ij->fjp", of_points, self.matrix).flatten(1)
        return weight, self.bias + of_points.sum(2) @ self.shift
