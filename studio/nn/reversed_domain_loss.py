"""DANN's loss for a learner that reads the source alone: the target's images come in beside its minibatches."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from studio.contracts import Batch, Outputs
from studio.nn.adda import random_rows
from studio.nn.domain_alignment import Discriminator, adversarial_weight, domain_loss, reverse_gradient


class ReversedDomainLoss(nn.Module):
    """The discriminator's loss on the features of the source's minibatch and of as many of the target's ``images``,
    with its gradient reversed before the encoder (Ganin et al. 2016, arXiv:1505.07818).

    Args:
        encode: gives the features of images, (n, width).
        weight: final weight of the reversed gradient; it rises from 0 during training.
    """

    images: Tensor

    def __init__(
        self, net: Discriminator, encode: Callable[[Tensor], Tensor], weight: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.net, self.weight, self._encode, self._generator = net, weight, encode, generator

    def forward(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its diagnostics."""
        source, weight = outputs.features, self.weight * adversarial_weight(batch.progress)
        target = self._encode(self.images[random_rows(len(self.images), len(source), self._generator)])
        loss = domain_loss(*(self.net(reverse_gradient(part, weight)) for part in (source, target)))
        return loss, {"domain_loss": loss.detach(), "domain_weight": torch.tensor(weight, dtype=torch.float64)}
