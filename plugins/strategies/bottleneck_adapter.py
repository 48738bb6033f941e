"""Bottleneck adapters: two narrow layers in every block learn, in a source policy that stays frozen."""

from __future__ import annotations

from torch import Generator

from studio.contracts import TrainablePolicy
from studio.experiment import setting
from studio.il.frozen_base import FrozenBaseParams, FrozenBaseStrategy


class BottleneckAdapter(FrozenBaseStrategy):
    """Learns bottlenecks behind attention and perceptron of each block, and what belongs to the target robot."""

    id = "bottleneck_adapter"
    title = "Bottleneck adapters"
    summary = "Learns narrow layers behind every attention and perceptron of the frozen transformer."
    reference = "Houlsby et al. 2019, arXiv:1902.00751"
    tags = ("imitation", "adapter")

    class Params(FrozenBaseParams):
        """Optimization and adapter."""

        width: int = setting(16, "Width", "Width of the narrow layers.", ge=1, le=1024)

    def add_parts(self, policy: TrainablePolicy, generator: Generator) -> None:
        for block in policy.blocks:
            block.add_bottlenecks(self.params.width, generator)
