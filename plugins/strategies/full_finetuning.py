"""Continue training every weight of the source policy on the target."""

from typing import Any

from studio.contracts import Context
from studio.il.strategy import CloningStrategy


class FullFineTuning(CloningStrategy):
    """Trains all parameters of the source policy on the target's demonstrations."""

    id = "full_finetuning"
    title = "Full fine-tuning"
    summary = "Continues training all weights of the source policy on the target."
    reference = "Yosinski et al. 2014 (arXiv:1411.1792)"
    tags = ("imitation", "fine-tuning")

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=True).train().requires_grad_(True)
        self.clone(context, policy, list(policy.parameters()))
