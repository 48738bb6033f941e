"""Image encoders with a spatial soft-argmax, which gives the image coordinates of learned features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SHARPNESS = 4.0  # log of the first temperature of the soft-argmax


def heatmaps(maps: Tensor, log_temperature: Tensor) -> Tensor:
    """Return a softmax over pixels for each channel: maps (n, points, h, w) → (n, points, h·w), summing to 1."""
    return torch.softmax(maps.flatten(2) * log_temperature.exp(), -1)


def feature_points(maps: Tensor, log_temperature: Tensor) -> Tensor:
    """Return where each channel of maps (n, points, h, w) is active, (n, points, 3): x, y in [−1, 1], and the maximum
    of its softmax."""
    h, w = maps.shape[2:]
    weights = heatmaps(maps, log_temperature)
    ys = torch.linspace(-1, 1, h, device=maps.device)
    xs = torch.linspace(-1, 1, w, device=maps.device)
    grid = torch.stack([xs.repeat(h), ys.repeat_interleave(w)], 1)  # (h·w, 2)
    position = weights @ grid
    peak = weights.amax(-1, keepdim=True)
    return torch.cat([position, peak], -1)


class FeaturePoints(nn.Module):
    """Convolutions and a spatial soft-argmax, which locates ``points`` learned features in the image.

    (n, 3, h, w) in [0, 1] → (n, points, 3): x, y in [−1, 1], and the maximum of the softmax.
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
        # a soft-argmax over nearly equal values always points at the center and has no gradient: start it sharp
        self.log_temperature = nn.Parameter(torch.full((points, 1), SHARPNESS))

    def forward(self, image: Tensor) -> Tensor:
        return feature_points(self.layers((image - 0.5) / 0.25), self.log_temperature)


class Encoder(nn.Module):
    """Convolutions, a spatial soft-argmax of their ``points`` channels, and a linear layer: (n, h, w, 3) uint8 → (n,
    features) within ±1. Source: Levine et al. 2016, arXiv:1504.00702, section 5.2.
    """

    def __init__(self, channels: int, points: int, features: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, channels, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(channels, points, 3, padding=1)
        )
        # start sharper than 1, for the same reason as above
        self.log_temperature = nn.Parameter(torch.ones(()))
        self.last = nn.Linear(2 * points, features)

    @property
    def first_layer(self) -> nn.Module:
        """What reads the colors; all that follows tells where things are."""
        return self.convolutions[0]

    @torch.no_grad()
    def recolor(self, gain: Tensor, offset: Tensor) -> None:
        """Change the first layer so that it gives for images x what it gave for gain · x + offset, away from the edges.

        Args:
            gain, offset: (3,), of red, green and blue in [0, 1].
        """
        layer = self.convolutions[0]
        layer.bias += (layer.weight * (offset + (gain - 1) / 2)[:, None, None]).sum((1, 2, 3))  # it reads x − 1/2
        layer.weight *= gain[:, None, None]

    def forward(self, images: Tensor) -> Tensor:
        maps = self.convolutions(images.permute(0, 3, 1, 2).float() / 255 - 0.5)
        weights = heatmaps(maps, self.log_temperature).view_as(maps)
        across, down = (torch.linspace(-1, 1, size, device=maps.device) for size in (maps.shape[3], maps.shape[2]))
        places = [(weights.sum(2) * across).sum(-1), (weights.sum(3) * down).sum(-1)]
        return torch.tanh(self.last(torch.cat(places, 1)))
