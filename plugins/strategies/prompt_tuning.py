"""Soft prompt tuning: a few learned tokens, placed before all others, adapt a frozen source policy."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from studio.contracts import Context
from studio.experiment import setting
from studio.il.strategy import CloningParams, CloningStrategy


class PromptTuning(CloningStrategy):
    """Trains prompt tokens, and the embeddings and action head of the target robot; the rest is frozen."""

    id = "prompt_tuning"
    title = "Prompt tuning"
    summary = "Trains a few prompt tokens for a frozen transformer, and the target robot's embeddings and action head."
    reference = "Lester et al. 2021, arXiv:2104.08691"
    tags = ("imitation", "adapter")

    class Params(CloningParams):
        """Optimization and prompt."""

        learning_rate: float = setting(
            2e-3, "Learning rate", "Peak learning rate of the cosine schedule (AdamW).", gt=0, le=1
        )
        tokens: int = setting(8, "Prompt tokens", "Number of prompt tokens.", ge=1, le=256)
        train_robot_parts: bool = setting(
            True, "Train robot parts", "Also train the robot's embeddings and the action head."
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
