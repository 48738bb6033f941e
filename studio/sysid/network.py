"""The network: an LSTM over the measurements, and a linear head that predicts each parameter's mean and scale."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from studio.sysid.features import Features

_LEAST_LOG_SCALE, _MOST_LOG_SCALE = -7.0, 1.0  # in the ranges' coordinate


class SystemIdentification(nn.Module):
    """An LSTM encoder and a head for the parameters' means and scales.

    The head reads the last hidden state and the mean over time, through which early steps contribute directly.
    """

    def __init__(self, width: int, hidden: int, fields: int) -> None:
        super().__init__()
        self.encoder = nn.LSTM(width, hidden, batch_first=True)
        self.parameter_head = nn.Linear(2 * hidden, 2 * fields)

    def forward(self, trajectory: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and logarithms of scales, (batch, fields) each, for inputs (batch, time, width)."""
        over_time, (last, _) = self.encoder(trajectory)
        mean, log_scale = self.parameter_head(torch.cat([last[0], over_time.mean(1)], 1)).chunk(2, 1)
        return mean, log_scale.clamp(_LEAST_LOG_SCALE, _MOST_LOG_SCALE)


def fit(
    network: SystemIdentification,
    states: Tensor,
    features: Features,
    targets: Tensor,
    *,
    epochs: int,
    batch: int,
    rate: float,
    generator: torch.Generator,
    tick: Callable[[float], None],
) -> None:
    """Maximize the Gaussian likelihood of ``targets`` (n, fields), with new sensor noise in every batch.

    Args:
        states: (n, time, width), without noise.
    """
    steps = max(1, epochs * len(states) // batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1)
    network.train()
    for step in range(steps):
        rows = torch.randint(len(states), (min(batch, len(states)),), generator=generator)
        clean = states[rows]
        noisy = clean + features.noise * torch.randn(clean.shape, generator=generator)
        mean, log_scale = network(features(noisy))
        loss = (0.5 * ((mean - targets[rows]) / log_scale.exp()) ** 2 + log_scale).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        tick((step + 1) / steps)
    network.eval()
