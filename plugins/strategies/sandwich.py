"""Train the two ends of a policy, what reads its inputs and what gives its actions; the trunk between stays frozen."""

from __future__ import annotations

from typing import Any

from studio.contracts import Context
from studio.il.strategy import CloningStrategy


class Sandwich(CloningStrategy):
    """Everything but the transformer's blocks is trained: encoder, embeddings and action head."""

    id = "sandwich"
    title = "Sandwich fine-tuning"
    summary = "Trains the encoder, the embeddings and the action head of the source policy; the trunk is frozen."
    reference = "Kim et al. 2024 (OpenVLA, arXiv:2406.09246), section 5.3, table 1"
    tags = ("imitation", "frozen")

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=True).train().requires_grad_(True)
        for name in policy.trunk:
            policy.get_submodule(name).requires_grad_(False)
        self.clone(context, policy, [p for p in policy.parameters() if p.requires_grad])
