"""The unified action space: the actions of every embodiment in 32 slots, with a mask of those it uses.

Two layouts: ``semantic`` gives a meaning to every slot (right arm's joints, left arm's joints, end effectors, base), as
RDT does (Liu et al. 2024, arXiv:2410.07864, section 4.2); ``front`` puts the actions first and pads at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from studio.contracts import SLOTS, Batch

Layout = Literal["semantic", "front"]


def slot_mask(slots: Sequence[int], layout: Layout) -> Tensor:
    """Return which slots are used, (32,) bool. Native components fill them in ascending order.

    Raises:
        ValueError: the slots are not in ascending order.
    """
    mask = torch.zeros(SLOTS, dtype=torch.bool)
    mask[list(slots) if layout == "semantic" else list(range(len(slots)))] = True
    if list(slots) != sorted(slots):
        raise ValueError("native action components must be in the order of their slots")
    return mask


def pad(native: Tensor, mask: Tensor) -> Tensor:
    """Return native actions (n, d) in their slots, (n, 32), zeros elsewhere."""
    unified = native.new_zeros(*native.shape[:-1], len(mask))
    unified[..., mask] = native
    return unified


def unpad(unified: Tensor, mask: Tensor) -> Tensor:
    """Return the native actions (n, d) of unified ones (n, 32)."""
    return unified[..., mask]


def scatter_slots(native: Tensor, mask: Tensor) -> Tensor:
    """Return native rows (n, widest) as (n, slots): each row's values in the slots of its own mask (n, slots), 0
    elsewhere.

    Padding behind a row's own values is never read.
    """
    column = (mask.cumsum(-1) - 1).clamp(0, native.shape[-1] - 1)
    return torch.where(mask, native.gather(-1, column), 0.0)


def masked_mse(prediction: Tensor, target: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean squared error, (), over each row's own slots (…, slots), rows weighted by ``weight`` (…).

    Values in padded slots, and in rows of weight 0, change neither loss nor gradient.
    """
    if weight is not None:
        mask = mask & (weight > 0)[..., None]
    squared = torch.where(mask, prediction - target, 0.0).square().sum(-1) / mask.sum(-1).clamp_min(1)
    return squared.mean() if weight is None else (squared * weight).sum() / weight.sum()


def step_weights(batch: Batch) -> Tensor | None:
    """Return how much each action of a batch counts: (n,), or (n, chunk) where steps of chunks may not exist; None: all
    alike."""
    if batch.mask is None:
        return batch.weight
    return batch.mask.float() if batch.weight is None else batch.weight[:, None] * batch.mask
