"""Image adjustments, batched, each image its own values: what randomizes a simulated camera and augments training data.

Below ``sim`` and ``data``, which both need it. torch and kornia are imported when an image is first adjusted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

# In the order in which they are applied. A factor of 1 and a sigma of 0 px leave an image as it is.
NEUTRAL: dict[str, float] = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "blur": 0.0, "sharpness": 1.0}
KERNEL = 5  # px: the side of the blur's kernel


def adjust(images: Tensor, values: Mapping[str, Any]) -> Tensor:
    """Brightness, contrast, saturation, blur, sharpness, in this order, on the images' device.

    Args:
        images: (n, h, w, 3) uint8, or (n, 3, h, w) floating in [0, 1].
        values: field → (n,). Factors mean what torchvision's ``adjust_*`` make of them: brightness × f; contrast about
            the image's mean gray; saturation about each pixel's gray; sharpness about the smoothed image. ``blur`` is
            the sigma in px of a Gaussian of 5 × 5 px, with reflected borders.

    Returns:
        As ``images``, which are left alone. An image whose values are all neutral comes back bit for bit.

    Raises:
        ValueError: a field that is none of these.
    """
    import torch

    if unknown := sorted(set(values) - set(NEUTRAL)):
        raise ValueError(f"{', '.join(unknown)}: no adjustment; there are {', '.join(NEUTRAL)}")
    wanted = {}
    for field, neutral in NEUTRAL.items():
        value = torch.as_tensor(values.get(field, neutral)).expand(len(images))
        rows = torch.nonzero(value != neutral)[:, 0].to(images.device)
        if len(rows):
            wanted[field] = (rows, value.to(images.device, torch.float32)[rows])
    if not wanted:
        return images
    whole = images.dtype == torch.uint8
    # only images that change are worked on
    changed = torch.unique(torch.cat([rows for rows, _ in wanted.values()]))
    place = torch.empty(len(images), dtype=torch.long, device=images.device)
    place[changed] = torch.arange(len(changed), device=images.device)
    x = images[changed]
    if whole:
        x = x.permute(0, 3, 1, 2).contiguous().to(torch.float32).div_(255)
    for field, (rows, value) in wanted.items():
        chosen = place[rows]
        if len(chosen) == len(x):
            x = _FUNCTIONS[field](x, value)
        else:
            x[chosen] = _FUNCTIONS[field](x[chosen], value)
    if whole:
        x = x.mul_(255).round_().to(torch.uint8).permute(0, 2, 3, 1)
    return images.index_copy(0, changed, x)


def adjust_arrays(images: np.ndarray, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """As :func:`adjust` for NumPy arrays on the CPU; loads torch only where an image changes.

    Args:
        images: (n, h, w, 3) uint8.
        values: field → (n,); fields that are no image adjustment are passed over.
    """
    own = {field: np.asarray(values[field]) for field in NEUTRAL if field in values}
    if all(np.all(value == NEUTRAL[field]) for field, value in own.items()):
        return images
    import torch

    adjusted: np.ndarray = adjust(torch.from_numpy(images), own).numpy()
    return adjusted


def _brightness(x: Tensor, factor: Tensor) -> Tensor:
    from kornia.enhance import adjust_brightness_accumulative

    return adjust_brightness_accumulative(x, factor)


def _contrast(x: Tensor, factor: Tensor) -> Tensor:
    from kornia.enhance import adjust_contrast_with_mean_subtraction

    return adjust_contrast_with_mean_subtraction(x, factor)


def _saturation(x: Tensor, factor: Tensor) -> Tensor:
    from kornia.enhance import adjust_saturation_with_gray_subtraction

    return adjust_saturation_with_gray_subtraction(x, factor)


def _blur(x: Tensor, sigma: Tensor) -> Tensor:
    from kornia.filters import gaussian_blur2d

    return gaussian_blur2d(x.contiguous(), KERNEL, sigma[:, None].expand(-1, 2).to(x.dtype))


def _sharpness(x: Tensor, factor: Tensor) -> Tensor:
    from kornia.enhance import sharpness

    return sharpness(x, factor)


_FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
    "blur": _blur,
    "sharpness": _sharpness,
}
