"""Train the last layer of the action head alone: the least that can be adapted."""

from __future__ import annotations

from typing import Any

from torch import nn

from studio.contracts import Context
from studio.il.strategy import CloningStrategy, SmallPartParams


class LastLayer(CloningStrategy):
    """Everything but the last linear layer is frozen; features are computed once for the whole dataset."""

    id = "last_layer"
    title = "Last layer only"
    summary = "Freezes the source policy up to the last layer of its action head, and trains that layer on the target."
    reference = "Kim et al. 2024 (OpenVLA, arXiv:2406.09246), section 5.3, table 1"
    tags = ("imitation", "frozen")
    frozen_features = True

    class Params(SmallPartParams):
        """Optimization."""

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=True).requires_grad_(False)
        *_, last = [layer for layer in policy.get_submodule(policy.head).modules() if isinstance(layer, nn.Linear)]
        self.clone(context, policy, list(last.requires_grad_(True).parameters()))
