"""Training of an image encoder by predicting the simulation's state from its features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from studio.contracts import Outputs
from studio.rl.auxiliary import AuxiliaryLosses
from studio.rl.networks.pixels import PixelActorCritic


class EncoderTraining:
    """Trains a policy's encoder and its linear decoder, and the parameters of auxiliary losses, by Adam."""

    def __init__(self, policy: PixelActorCritic, auxiliary: AuxiliaryLosses) -> None:
        self.policy, self.auxiliary = policy, auxiliary
        parameters = [*policy.encoder.parameters(), *policy.decoder.parameters(), *auxiliary.own]
        self.optimizer = torch.optim.Adam(parameters, eps=1e-5, fused=True)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate."""
        self.optimizer.param_groups[0]["lr"] = rate

    def step(self, images: Tensor, states: Tensor, actions: Tensor | None = None) -> Tensor:
        """Make a gradient step on images (n, h, w, 3) of normalized states (n, width); return the loss of the predicted
        states, (). Without actions (n, width) there are no auxiliary losses."""
        features = self.policy(images)
        predicted = self.policy.decoder(features)
        # robust to outliers, as parts of the state may be out of view
        loss = state_loss = smooth_l1_loss(predicted, states)
        if actions is not None and self.auxiliary.losses:
            observations = {"image": images, "state": states}
            loss = loss + self.auxiliary.loss(Outputs(features, predicted), observations, actions)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return state_loss.detach()
