"""Adversarial discriminative domain adaptation (ADDA) of an encoder (Tzeng et al. 2017, arXiv:1702.05464)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from studio.nn.domain_alignment import Discriminator, domain_loss

BETAS = (0.5, 0.999)  # of both Adams: little momentum, since each side's objective changes with the other


class ADDA:
    """Trains a target encoder until a discriminator cannot distinguish its features from those of a frozen encoder.

    Args:
        encoder: the target's; some of its parameters change in place.
        fixed: the source's.
        parameters: those of the encoder that change; None: all.
        batch: images per domain in a gradient step.
        steps: gradient steps of discriminator and encoder in a call of :meth:`learn`.
        generator: draws the images of a step.
    """

    def __init__(
        self,
        encoder: nn.Module,
        fixed: Callable[[Tensor], Tensor],
        discriminator: Discriminator,
        parameters: Sequence[nn.Parameter] | None = None,
        *,
        encoder_rate: float,
        discriminator_rate: float,
        batch: int,
        steps: int,
        generator: torch.Generator,
    ) -> None:
        self.encoder, self.fixed, self.discriminator = encoder, fixed, discriminator
        self.batch, self.steps, self.generator = batch, steps, generator
        own = list(encoder.parameters()) if parameters is None else parameters
        rates = (own, encoder_rate), (list(discriminator.parameters()), discriminator_rate)
        self.optimizers = [torch.optim.Adam(part, lr=rate, betas=BETAS) for part, rate in rates]

    def learn(self, source: Tensor, target: Tensor) -> dict[str, float]:
        """Make alternating gradient steps (equation 9) on images (n, …) of both domains; return the mean losses."""
        losses = []
        with torch.no_grad():
            source_features = self.fixed(source)
        for _ in range(self.steps):
            real = source_features[random_rows(len(source_features), self.batch, self.generator)]
            adapted = self.encoder(target[random_rows(len(target), self.batch, self.generator)])
            discriminator_loss = domain_loss(self.discriminator(real), self.discriminator(adapted.detach()))
            self._descend(1, discriminator_loss)
            encoder_loss = nn.functional.softplus(self.discriminator(adapted)).mean()  # inverted labels, as in a GAN
            self._descend(0, encoder_loss)
            losses.append(torch.stack([discriminator_loss, encoder_loss]).detach())
        return dict(zip(("domain_loss", "encoder_loss"), torch.stack(losses).mean(0).tolist(), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Return the optimizers' state; the weights are saved by their owners."""
        return {"optimizers": [copy.deepcopy(optimizer.state_dict()) for optimizer in self.optimizers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)

    def _descend(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad(set_to_none=True)
        loss.backward()
        self.optimizers[which].step()


def random_rows(count: int, drawn: int, generator: torch.Generator) -> Tensor:
    """Draw ``drawn`` of ``count`` rows with replacement; return their indices."""
    return torch.randint(count, (drawn,), generator=generator, device=generator.device)
