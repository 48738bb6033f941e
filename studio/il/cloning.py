"""Behavior cloning: AdamW on the policy's loss on demonstrations, with a warm-up and a cosine schedule.

The batches of an iteration depend on (seed, iteration) alone, so a resumed training sees the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from studio.contracts import AuxiliaryLoss, Batch, Batches, Metrics, Outputs
from studio.nn.auxiliary import auxiliary_loss

UNITS: dict[str, str] = {"loss": "MSE", "gradient_norm": "", "learning_rate": ""}
WARMUP = 0.05  # share of the iterations over which the learning rate rises


class Loss(Protocol):
    """What learns from a batch: a policy, or what is made of one."""

    def loss(self, batch: Batch) -> tuple[Tensor, Outputs]:
        """Return the loss, (), and what was computed on the way to it."""


class BehaviorCloning:
    """Trains parameters on a policy's loss and on auxiliary losses.

    Args:
        batches: the batch of each iteration.
        parameters: the trained parameters: the policy's, and those of the auxiliary losses.
        auxiliary: losses that are added to the policy's own.
        loss_unit: of the policy's own.
    """

    def __init__(
        self,
        policy: Loss,
        batches: Batches,
        parameters: Sequence[nn.Parameter],
        *,
        iterations: int,
        learning_rate: float,
        weight_decay: float = 1e-4,
        auxiliary: Sequence[AuxiliaryLoss] = (),
        loss_unit: str = UNITS["loss"],
    ) -> None:
        self.policy, self.batches, self.parameters, self.auxiliary = policy, batches, [*parameters], auxiliary
        self.iterations, self.learning_rate, self.iteration = iterations, learning_rate, 0
        self.units = UNITS | {"loss": loss_unit}
        fused = all(p.device.type in ("cpu", "cuda") for p in self.parameters)
        self.optimizer = torch.optim.AdamW(self.parameters, lr=learning_rate, weight_decay=weight_decay, fused=fused)

    def iterate(self) -> Iterator[Metrics]:
        """Yield loss, gradient norm, learning rate and the auxiliary losses' values after every gradient step."""
        while self.iteration < self.iterations:
            rate = self._rate(self.iteration)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            batch = self.batches.batch(self.iteration).replace(progress=self.iteration / self.iterations)
            loss, outputs = self.policy.loss(batch)
            total, values = loss, {"loss": loss.detach()}
            for auxiliary in self.auxiliary:
                more, logged = auxiliary_loss(auxiliary, outputs, batch)
                total, values = total + more, {**values, **logged}
            self.optimizer.zero_grad(set_to_none=True)
            total.backward()
            norm = nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimizer.step()
            self.iteration += 1
            numbers = {name: float(value) for name, value in values.items()}
            numbers |= {"gradient_norm": norm.item(), "learning_rate": rate}
            yield Metrics(self.iteration, self.iterations, numbers)

    def state_dict(self) -> dict[str, Any]:
        """Return optimizer and iteration; the weights are saved by their owners."""
        return {"iteration": self.iteration, "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.iteration = int(state["iteration"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _rate(self, iteration: int) -> float:
        warm = max(1, round(WARMUP * self.iterations))
        if iteration < warm:
            return self.learning_rate * (iteration + 1) / warm
        share = (iteration - warm) / max(1, self.iterations - warm)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
