"""Behavior cloning with features whose distributions in source and target are pulled together (MMD)."""

from __future__ import annotations

from typing import Any

from studio.contracts import Context
from studio.experiment import setting
from studio.il.cloning import UNITS
from studio.il.co_training import AdaptationParams, AdaptationStrategy
from studio.il.mixture import mixture
from studio.nn.domain_alignment import DiscrepancyLoss


class MMD(AdaptationStrategy):
    """Every parameter of the source policy continues to learn on both domains' demonstrations; the maximum mean
    discrepancy of their features is added to the loss."""

    id = "mmd"
    title = "Maximum mean discrepancy (MMD)"
    summary = "Clones source and target demonstrations together, with features of one distribution."
    reference = "Long et al. 2015, arXiv:1502.02791; Gretton et al. 2012, JMLR 13, eq. 3"
    tags = ("imitation", "domain adaptation")
    units = UNITS | {"mmd": ""}
    min_samples = 2  # the unbiased estimate compares the samples of a domain with each other

    class Params(AdaptationParams):
        """Optimization, the discrepancy's weight, and how batches are mixed."""

        discrepancy_weight: float = setting(
            1.0, "Discrepancy weight", "What the discrepancy's weight λ rises to during training.", ge=0, le=100
        )

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=True).train().requires_grad_(True)
        datasets = mixture(context, policy, self.params.source_share, self.params.use_target_actions)
        auxiliary = [DiscrepancyLoss(self.params.discrepancy_weight)]
        self.clone(context, policy, list(policy.parameters()), datasets=datasets, auxiliary=auxiliary)
