"""Domain-adversarial behavior cloning: every batch mixes source and target demonstrations, and the features learn to be
domain-invariant."""

from __future__ import annotations

from typing import Any

from studio.contracts import Context
from studio.experiment import setting
from studio.il.cloning import UNITS
from studio.il.co_training import AdaptationParams, AdaptationStrategy
from studio.il.mixture import mixture
from studio.nn.domain_alignment import DomainAdversarialLoss


class DANN(AdaptationStrategy):
    """Every parameter of the source policy continues to learn on both domains' demonstrations, while a discriminator's
    gradient is reversed into its features; source and target may be different robots."""

    id = "dann"
    title = "Domain-adversarial (DANN)"
    summary = "Clones source and target demonstrations together, with features that do not reveal the domain."
    reference = "Ganin et al. 2016, arXiv:1505.07818"
    tags = ("imitation", "domain adaptation")
    units = UNITS | {"domain_loss": "nats", "domain_accuracy": ""}
    domain_accuracy = "domain_accuracy"

    class Params(AdaptationParams):
        """Optimization, the discriminator, and how batches are mixed."""

        domain_weight: float = setting(
            1.0, "Domain weight", "Final weight λ of the reversed gradient; it rises from 0 in training.", ge=0, le=100
        )
        discriminator_width: int = setting(
            64, "Discriminator", "Width of the discriminator's hidden layers.", ge=2, le=4096
        )

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=True)
        datasets = mixture(context, policy, self.params.source_share, self.params.use_target_actions)
        self._alignment = DomainAdversarialLoss(
            policy.feature_width, self.params.discriminator_width, self.params.domain_weight
        ).to(context.device)
        policy.train().requires_grad_(True)
        parameters = [*policy.parameters(), *self._alignment.parameters()]
        self.clone(context, policy, parameters, datasets=datasets, auxiliary=[self._alignment])

    def stateful(self) -> Any:
        return {**super().stateful(), "alignment": self._alignment}
