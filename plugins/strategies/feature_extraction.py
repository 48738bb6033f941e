"""Freeze the source policy's features and train a new action head on them."""

from typing import Any

from torch import nn

from studio.contracts import Context
from studio.experiment import setting
from studio.il.strategy import CloningStrategy, SmallPartParams


class FeatureExtraction(CloningStrategy):
    """Trains the action head on the features of a frozen policy, computed once for the whole dataset."""

    id = "feature_extraction"
    title = "Feature extraction"
    summary = "Freezes the source policy's features and trains only the action head on the target."
    reference = "Sharif Razavian et al. 2014 (arXiv:1403.6382); Yosinski et al. 2014 (arXiv:1411.1792)"
    tags = ("imitation", "frozen")
    frozen_features = True

    class Params(SmallPartParams):
        """Optimization and head."""

        fresh_head: bool = setting(
            False, "Fresh head", "Initialize a new action head instead of keeping the source policy's."
        )

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=True).requires_grad_(False)
        head: nn.Module = policy.get_submodule(policy.head).requires_grad_(True)
        if self.params.fresh_head:
            for layer in head.modules():
                if isinstance(layer, nn.Linear):
                    layer.reset_parameters()
        self.clone(context, policy, list(head.parameters()))
