"""A small network behind a frozen source policy maps its actions to those of another robot."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from studio.contracts import Context, Requires
from studio.experiment import setting
from studio.il.strategy import CloningStrategy, SmallPartParams
from studio.nn.adapters import ActionMap


class ActionSpaceAdapter(CloningStrategy):
    """Source policy and features stay as they are; the network sees both the source's action and the features.

    Before the first step it is the identity, so the score at step 0 (``evaluation.every``) is that of the source policy
    without a map: each action in the slot of the same meaning.
    """

    id = "action_space_adapter"
    title = "Action space adapter"
    summary = "Maps the actions of the frozen source policy to the target robot's by a small network."
    reference = "Transfer between robots by mapping actions: Chen et al. 2024 (Mirage), arXiv:2402.19249"
    tags = ("imitation", "adapter", "frozen")
    requires = Requires(source_policy=True, target_data=True, sources=(1, None), evaluate_at_zero=True)
    frozen_features = True
    acts_on_source = False  # the map gives the target robot's actions; the source policy itself forgets nothing

    class Params(SmallPartParams):
        """Optimization and network."""

        width: int = setting(128, "Width", "Width of the network's hidden layer.", ge=1, le=4096)

    def setup(self, context: Context[Any]) -> None:
        policy: Any = context.policy(pretrained=True).requires_grad_(False)
        source = context.sources[0]
        mask = policy.output_mask(source.task.slots(source.embodiment, source.domain.control))
        head: nn.Module = policy.get_submodule(policy.head)
        adapter = ActionMap(head, mask, policy.feature_width, self.params.width)
        adapter.initialize(torch.Generator().manual_seed(context.experiment.seed))
        policy.set_submodule(policy.head, adapter.to(context.device))
        self.clone(context, policy, [p for p in policy.parameters() if p.requires_grad])
