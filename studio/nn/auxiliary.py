"""Auxiliary losses as learners call them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import torch
from torch import Tensor

from studio.contracts import AuxiliaryLoss, Batch, Outputs
from studio.errors import StudioError


def auxiliary_loss(auxiliary: AuxiliaryLoss, outputs: Outputs, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
    """Return an auxiliary loss, (), and what it logs, detached.

    Raises:
        StudioError: it returned something else.
    """
    found: object = auxiliary(outputs, batch)
    match found:
        case (Tensor() as loss, Mapping() as values) if loss.dim() == 0:
            return loss, {name: torch.as_tensor(value).detach() for name, value in values.items()}
        case Tensor():
            what = f"a tensor of shape {tuple(found.shape)} alone"
        case (Tensor() as loss, _):
            what = f"a loss of shape {tuple(loss.shape)}" if loss.dim() else "no dict of values behind the loss"
        case _:
            what = f"an object of type {type(found).__name__}"
    name = auxiliary.__qualname__ if inspect.isroutine(auxiliary) else type(auxiliary).__qualname__
    raise StudioError(
        f"The auxiliary loss returned {what}.", name, "Return a scalar tensor and a dict of scalars to log."
    )
