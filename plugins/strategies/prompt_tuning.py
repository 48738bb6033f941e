"""Soft prompt tuning: a few learned tokens, placed before all others, adapt a frozen source policy."""

from __future__ import annotations

import torch
from torch import Generator, nn

from studio.contracts import TrainablePolicy
from studio.experiment import setting
from studio.il.frozen_base import FrozenBaseParams, FrozenBaseStrategy


class PromptTuning(FrozenBaseStrategy):
    """Trains prompt tokens, and the embeddings and action head of the target robot; the rest is frozen."""

    id = "prompt_tuning"
    title = "Prompt tuning"
    summary = "Trains a few prompt tokens for a frozen transformer, and the target robot's embeddings and action head."
    reference = "Lester et al. 2021, arXiv:2104.08691"
    tags = ("imitation", "adapter")

    class Params(FrozenBaseParams):
        """Optimization and prompt."""

        tokens: int = setting(8, "Prompt tokens", "Number of prompt tokens.", ge=1, le=256)

    def add_parts(self, policy: TrainablePolicy, generator: Generator) -> None:
        start = 0.02 * torch.randn(self.params.tokens, policy.token_width, generator=generator)
        policy.prompt = nn.Parameter(start.to(next(policy.parameters()).device))
