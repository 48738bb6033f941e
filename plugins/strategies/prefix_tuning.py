"""Prefix tuning: learned keys and values in every attention layer steer a source policy that stays frozen."""

from __future__ import annotations

from torch import Generator

from studio.contracts import TrainablePolicy
from studio.experiment import setting
from studio.il.frozen_base import FrozenBaseParams, FrozenBaseStrategy


class PrefixTuning(FrozenBaseStrategy):
    """Learns a prefix for each block, and the embeddings and head that belong to the target robot."""

    id = "prefix_tuning"
    title = "Prefix tuning"
    summary = "Learns keys and values for every attention layer of the frozen transformer, behind gates."
    reference = "Li and Liang 2021, arXiv:2101.00190; gates: Zhang et al. 2023, arXiv:2303.16199"
    tags = ("imitation", "adapter")

    class Params(FrozenBaseParams):
        """Optimization and prefix."""

        tokens: int = setting(8, "Prefix tokens", "How many keys and values are learned in each block.", ge=1, le=256)

    def add_parts(self, policy: TrainablePolicy, generator: Generator) -> None:
        for block in policy.blocks:
            block.add_prefix(self.params.tokens, generator)
