"""An image read for what an instruction asks: its features are modulated by the sentence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

GRID = 8  # cells in height and width of what is left of the image
TOKENS = 2


class InstructedImage(nn.Module):
    """Convolutions, whose channels the sentence scales and shifts (FiLM), and a linear layer over a grid of 8 × 8:
    (n, 3, h, w) in [0, 1] and the sentence's embedding (n, width) → tokens (n, 2, width).

    So a color is chosen where pixels are still pixels. Source: Perez et al. 2018 (FiLM, arXiv:1709.07871), as in BC-Z
    (Jang et al. 2022, arXiv:2202.02005) and RT-1 (arXiv:2212.06817).
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 5, stride=2, padding=2)
        self.second = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        self.modulation = nn.Linear(width, 4 * channels)
        self.third = nn.Conv2d(2 * channels, channels, 3, stride=2, padding=1)
        self.last = nn.Linear(channels * GRID * GRID, TOKENS * width)

    def forward(self, image: Tensor, said: Tensor) -> Tensor:
        found = self.second(torch.relu(self.first((image - 0.5) / 0.25)))
        scale, shift = self.modulation(said)[:, :, None, None].chunk(2, 1)
        found = torch.relu(self.third(torch.relu(found * (1 + scale) + shift)))
        cells = nn.functional.adaptive_avg_pool2d(found, GRID).flatten(1)
        return self.last(cells).unflatten(1, (TOKENS, -1))
