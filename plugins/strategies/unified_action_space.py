"""One policy for several robots, trained on all their demonstrations at once in one space of 32 action slots."""

from __future__ import annotations

from typing import Any

from studio.contracts import Context, Requires
from studio.il.co_training import CoTrainingStrategy
from studio.il.mixture import mixture


class UnifiedActionSpace(CoTrainingStrategy):
    """A new policy learns from every source's demonstrations and the target's in each batch.

    Each robot fills its own slots of the unified action, the others are masked. The policy's setting ``layout``
    chooses the slots: by meaning, or the first ones (padding at the end).
    """

    id = "unified_action_space"
    title = "Unified action space"
    summary = "Trains one policy on several robots at once; each robot uses its own of 32 action slots."
    reference = "Liu et al. 2024 (RDT-1B, arXiv:2410.07864), section 4.2; padding: Octo (arXiv:2405.12213)"
    tags = ("imitation", "several robots")
    requires = Requires(source_data=True, target_data=True, sources=(1, None))

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=False).train()
        datasets = mixture(context, policy, self.params.source_share)
        self.clone(context, policy, list(policy.parameters()), datasets=datasets)
