"""Auxiliary losses on the features of a policy that trains by reinforcement learning."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from studio.contracts import AuxiliaryLoss, Batch, Outputs
from studio.nn.auxiliary import auxiliary_loss


class AuxiliaryLosses:
    """Adds the gradient of auxiliary losses to a learner's own, and trains their own parameters by Adam.

    They see the policy's actor (or Q-network): the last hidden layer as ``outputs.features``, and means, or Q-values,
    as ``outputs.prediction``. In their batch, observations and actions are as the network has them, ``domain`` and
    ``embodiment`` are 0, and ``progress`` is the learner's.

    Args:
        module: what the losses train beside their own parameters; frozen parameters are left out.
        learning_rate: Adam's, for the losses' own parameters; 0: the learner trains ``own`` itself.
    """

    def __init__(self, losses: Sequence[AuxiliaryLoss], module: nn.Module, learning_rate: float) -> None:
        self.losses, self.parameters = [*losses], [p for p in module.parameters() if p.requires_grad]
        self.modules = nn.ModuleList(loss for loss in losses if isinstance(loss, nn.Module))
        self.own = list(self.modules.parameters())
        self.optimizer = torch.optim.Adam(self.own, learning_rate) if self.own and learning_rate else None
        self.progress = 0.0  # of the training, 0 to 1
        self._values: list[dict[str, Tensor]] = []

    def loss(self, outputs: Outputs, observations: Mapping[str, Tensor], actions: Tensor) -> Tensor:
        """Return the sum of the losses on what the policy computed for a minibatch, ()."""
        zeros = torch.zeros(len(actions), dtype=torch.long, device=actions.device)
        batch = Batch(observations, actions, zeros, zeros, progress=self.progress)
        total, values = outputs.features.new_zeros(()), dict[str, Tensor]()
        for auxiliary in self.losses:
            more, logged = auxiliary_loss(auxiliary, outputs, batch)
            total = total + more
            values |= logged
        self._values.append(values)
        return total

    def gradient(self, outputs: Outputs, observations: Tensor, actions: Tensor) -> Tensor:
        """Return the gradient of the losses by the module's parameters, flat, and make a step on the losses' own."""
        total = self.loss(outputs, {"state": observations}, actions)
        found = torch.autograd.grad(total, [*self.parameters, *self.own], allow_unused=True, materialize_grads=True)
        if self.optimizer is not None:
            for parameter, gradient in zip(self.own, found[len(self.parameters) :], strict=True):
                parameter.grad = gradient
            self.optimizer.step()
        return torch.cat([part.reshape(-1) for part in found[: len(self.parameters)]])

    def metrics(self) -> dict[str, float]:
        """Return the mean of each logged value since the last call."""
        values, self._values = self._values, []
        return {name: torch.stack([each[name] for each in values]).mean().item() for name in (values or [{}])[0]}

    def state_dict(self) -> dict[str, Any]:
        """Return the losses' own parameters and their optimizer."""
        optimizer = {} if self.optimizer is None else copy.deepcopy(self.optimizer.state_dict())
        return {"modules": {n: v.clone() for n, v in self.modules.state_dict().items()}, "optimizer": optimizer}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.modules.load_state_dict(state["modules"])
        if self.optimizer is not None:
            self.optimizer.load_state_dict(state["optimizer"])
