"""Train on the target alone: the baseline that every transfer must beat."""

from typing import Any

from studio.contracts import Context, Requires
from studio.experiment import setting
from studio.il.strategy import CloningParams, CloningStrategy


class FromScratch(CloningStrategy):
    """Behavior cloning on the target's demonstrations from a fresh initialization."""

    id = "from_scratch"
    title = "From scratch"
    summary = "Trains a new policy on the target demonstrations alone: the baseline that transfer must beat."
    reference = "Behavior cloning: Pomerleau 1988 (NIPS, ALVINN)"
    requires = Requires(target_data=True)
    tags = ("baseline", "imitation")

    class Params(CloningParams):
        """Optimization."""

        learning_rate: float = setting(
            2e-3, "Learning rate", "Peak learning rate of the cosine schedule (AdamW).", gt=0, le=1
        )

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=False)
        self.clone(context, policy, list(policy.parameters()))
