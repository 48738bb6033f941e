"""Random augmentation of a batch's images, on the training device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from studio.images import NEUTRAL, adjust


@dataclass(frozen=True)
class Augment:
    """Color jitter, blur and sharpness, each applied to each image with a probability of its own.

    The defaults are torchvision's ``ColorJitter(0.3, 0.3, 0.3)``, ``GaussianBlur(5)`` and ``RandomAdjustSharpness(2)``,
    each with probability ½. The order is fixed: brightness, contrast, saturation, blur, sharpness.

    Args:
        brightness, contrast, saturation: factors are uniform in 1 ± this, never below 0.
        blur: range of sigma, px, drawn uniformly.
        sharpness: sharpness factor.
        probability: with which each of the five is applied, independently of the others.
    """

    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3
    blur: tuple[float, float] = (0.1, 2.0)
    sharpness: float = 2.0
    probability: float = 0.5

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw values for ``count`` images, field → (count,), neutral where a transform is not applied.

        They are drawn on the CPU, so that they are the same for every training device.
        """
        ranges = {name: (max(0.0, 1 - j), 1 + j) for name, j in self._jitter().items()}
        ranges |= {"blur": self.blur, "sharpness": (self.sharpness, self.sharpness)}
        values = {}
        for field, neutral in NEUTRAL.items():
            low, high = ranges[field]
            applied, share = torch.rand(2, count, generator=generator)
            values[field] = torch.where(applied < self.probability, low + (high - low) * share, neutral)
        return values

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return augmented images of the same shape and type: (n, h, w, 3) uint8, or (n, 3, h, w) floats in [0, 1]."""
        return adjust(images, self.draw(len(images), generator))

    def _jitter(self) -> dict[str, float]:
        return {"brightness": self.brightness, "contrast": self.contrast, "saturation": self.saturation}
