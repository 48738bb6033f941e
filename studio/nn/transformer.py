"""Transformer blocks with explicit projections, and feature points from images.

``q_proj``, ``k_proj``, ``v_proj`` and ``o_proj`` are plain linear layers on purpose: PyTorch's fused encoder reads base
weights directly in eval mode, so an adapter inside it would do nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SHARPNESS = 4.0  # log of the first temperature of the soft-argmax


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2). (n, tokens, width) → same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape

        def split(projected: Tensor) -> Tensor:
            return projected.view(n, tokens, self.heads, width // self.heads).transpose(1, 2)

        q, k, v = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.o_proj(mixed.transpose(1, 2).reshape(n, tokens, width))


class Block(nn.Module):
    """Pre-norm transformer block. (n, tokens, width) → same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.up_proj, self.down_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.down_proj(functional.gelu(self.up_proj(self.mlp_norm(x))))


class FeaturePoints(nn.Module):
    """Convolutions and a spatial soft-argmax: where in the image each of ``points`` learned features is.

    (n, 3, h, w) in [0, 1] → (n, points, 3): x, y in [−1, 1], and how peaked the feature is.
    Source: Levine et al. 2016, arXiv:1504.00702, section 5.2; Finn et al. 2016, arXiv:1509.06113.
    """

    def __init__(self, points: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, channels, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * channels, points, 1),
        )
        # a soft-argmax over nearly equal values always points at the middle and learns nothing: start it sharp
        self.log_temperature = nn.Parameter(torch.full((points, 1), SHARPNESS))

    def forward(self, image: Tensor) -> Tensor:
        maps = self.layers((image - 0.5) / 0.25)
        h, w = maps.shape[2:]
        weights = torch.softmax(maps.flatten(2) * self.log_temperature.exp(), -1)
        ys = torch.linspace(-1, 1, h, device=maps.device)
        xs = torch.linspace(-1, 1, w, device=maps.device)
        grid = torch.stack([xs.repeat(h), ys.repeat_interleave(w)], 1)  # (h·w, 2)
        position = weights @ grid
        peak = weights.amax(-1, keepdim=True)
        return torch.cat([position, peak], -1)
