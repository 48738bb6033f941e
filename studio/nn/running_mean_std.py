"""Running mean and variance of a stream of batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningMeanStd(nn.Module):
    """Mean and variance of all rows seen, merged batch by batch (Chan, Golub and LeVeque 1979). float64 buffers."""

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(width, dtype=torch.float64))
        # small, so that the first batch outweighs the initial values
        self.register_buffer("count", torch.tensor(1e-4, dtype=torch.float64))

    def update(self, rows: Tensor) -> None:
        """Add rows (n, width)."""
        rows = rows.double()
        n, mean, variance = len(rows), rows.mean(0), rows.var(0, unbiased=False)
        delta, total = mean - self.mean, self.count + n
        squares = self.variance * self.count + variance * n + delta.square() * (self.count * n / total)
        self.mean += delta * (n / total)
        self.variance.copy_(squares / total)
        self.count.copy_(total)

    def scale(self) -> Tensor:
        """Return 1 / standard deviation, (width,) float32."""
        return (self.variance + 1e-8).rsqrt().float()

    def forward(self, rows: Tensor, bound: float = 10.0) -> Tensor:
        """Return normalized rows (n, width) float32, within ±bound."""
        return ((rows - self.mean.float()) * self.scale()).clamp(-bound, bound)
