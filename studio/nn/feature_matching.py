"""Matching of an encoder's features with those of a frozen one, without a discriminator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from studio.nn.adda import random_rows
from studio.nn.domain_alignment import mmd


class FeatureMatching:
    """Trains a target encoder until its features are distributed as a frozen encoder's are on the source.

    It descends the maximum mean discrepancy of the two (Long et al. 2015, arXiv:1502.02791), which has a minimum where
    :class:`~studio.nn.adda.ADDA` has a game.

    Args:
        encoder: the target's; some of its parameters change in place.
        fixed: the source's.
        parameters: those that change.
        batch: images per domain in a gradient step.
        steps: gradient steps in a call of :meth:`learn`.
        generator: draws the images of a step.
    """

    def __init__(
        self,
        encoder: Callable[[Tensor], Tensor],
        fixed: Callable[[Tensor], Tensor],
        parameters: Sequence[nn.Parameter],
        *,
        rate: float,
        batch: int,
        steps: int,
        generator: torch.Generator,
    ) -> None:
        self.encoder, self.fixed = encoder, fixed
        self.batch, self.steps, self.generator = batch, steps, generator
        self.optimizer = torch.optim.Adam(parameters, lr=rate)

    def learn(self, source: Tensor, target: Tensor) -> dict[str, float]:
        """Make gradient steps on images (n, …) of both domains; return the mean discrepancy before them."""
        losses = []
        with torch.no_grad():
            wanted = self.fixed(source)
        for _ in range(self.steps):
            adapted = self.encoder(target[random_rows(len(target), self.batch, self.generator)])
            loss = mmd(wanted[random_rows(len(wanted), self.batch, self.generator)], adapted)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        return {"matching_loss": float(torch.stack(losses).mean())}

    def state_dict(self) -> dict[str, Any]:
        """Return the optimizer's state; the weights are saved by their owner."""
        return {"optimizer": copy.deepcopy(self.optimizer.state_dict())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.optimizer.load_state_dict(state["optimizer"])
