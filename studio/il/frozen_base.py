"""The base of the strategies that add small trainable parts to a frozen source policy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator

from studio.contracts import Context, Requires, TrainablePolicy
from studio.experiment import setting
from studio.il.strategy import CloningStrategy, SmallPartParams


class FrozenBaseParams(SmallPartParams):
    """Optimization, and what is trained beside the added parts."""

    train_robot_parts: bool = setting(
        True, "Train robot parts", "Also train the robot's embeddings and the action head."
    )


class FrozenBaseStrategy(CloningStrategy):
    """A subclass adds trainable parts by :meth:`add_parts`; they are initialized from the experiment's seed."""

    requires = Requires(source_policy=True, target_data=True, transformer=True)

    class Params(FrozenBaseParams):
        """Optimization, and what is trained beside the added parts."""

    def add_parts(self, policy: TrainablePolicy, generator: Generator) -> None:
        """Add parameters to the policy. Their values are drawn from ``generator``, on the CPU."""
        raise NotImplementedError

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=True).train().requires_grad_(False)
        self.add_parts(policy, torch.Generator().manual_seed(context.experiment.seed))
        if self.params.train_robot_parts:
            for name in policy.modules_to_save:
                policy.get_submodule(name).requires_grad_(True)
        self.clone(context, policy, [p for p in policy.parameters() if p.requires_grad])
