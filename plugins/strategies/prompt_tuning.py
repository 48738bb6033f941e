"""Soft prompt tuning: a few learned tokens before all others steer a source policy that stays frozen."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from studio.contracts import Context
from studio.experiment import setting
from studio.il.strategy import CloningParams, CloningStrategy


class PromptTuning(CloningStrategy):
    """Learns prompt tokens, and the embeddings and head that belong to the target robot; the trunk is frozen."""

    id = "prompt_tuning"
    title = "Prompt tuning"
    summary = "Learns a few prompt tokens for the frozen transformer, and what belongs to the target robot."
    reference = "Lester et al. 2021, arXiv:2104.08691"
    tags = ("imitation", "adapter")

    class Params(CloningParams):
        """Optimization and prompt."""

        learning_rate: float = setting(
            2e-3, "Learning rate", "Peak learning rate of the cosine schedule (AdamW).", gt=0, le=1
        )
        tokens: int = setting(8, "Prompt tokens", "How many tokens are learned.", ge=1, le=256)
        train_robot_parts: bool = setting(
            True, "Train robot parts", "Also train the embeddings and the action head that belong to the robot."
        )

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=True).train().requires_grad_(False)
        generator = torch.Generator().manual_seed(context.experiment.seed)
        start = 0.02 * torch.randn(self.params.tokens, policy.token_width, generator=generator)
        policy.prompt = nn.Parameter(start.to(context.device))
        if self.params.train_robot_parts:
            for name in policy.modules_to_save:
                policy.get_submodule(name).requires_grad_(True)
        self.clone(context, policy, [p for p in policy.parameters() if p.requires_grad])
