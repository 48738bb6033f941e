"""The colors of one domain in terms of another's."""

from __future__ import annotations

import torch
from torch import Tensor


def color_change(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gain and offset, (3,) each for red, green and blue in [0, 1], after which the target's pixels have
    the source's means and standard deviations.

    It is adaptive batch normalization (Li et al. 2016, arXiv:1603.04779) of the image itself.

    Args:
        source, target: images (n, h, w, 3) uint8. A color that is the same in all pixels of the target is only shifted.
    """
    (mean, deviation), (other, spread) = (_moments(images) for images in (source, target))
    gain = torch.where(spread > 0, deviation / spread.clamp_min(1e-12), torch.ones_like(spread))
    return gain, mean - gain * other


def _moments(images: Tensor) -> tuple[Tensor, Tensor]:
    deviation, mean = torch.std_mean(images.float() / 255, (0, 1, 2))
    return mean, deviation
