"""MAML: weights from which a few gradient steps on a new task's examples lead to a policy for that task."""

from __future__ import annotations

from typing import Any

from studio.contracts import Context
from studio.meta.gradient_policy import GradientPolicy, InnerLoopParams
from studio.meta.support_learner import SupportParams
from studio.meta.support_strategy import TINY, SupportStrategy


class MAML(SupportStrategy):
    """Trains the weights that an inner loop of gradient steps starts from, by the exact gradient of the loss after it.

    It learns from labels: the examples of the source's scripted expert.
    """

    id = "maml"
    title = "MAML"
    summary = "Learns weights from which a few gradient steps adapt to a new task of the family."
    reference = (
        "Finn, Abbeel and Levine 2017, arXiv:1703.03400; elementwise rates: Li et al. 2017 (Meta-SGD), arXiv:1707.09835"
    )
    tags = ("imitation", "meta-learning")
    policies = (GradientPolicy.id,)
    example = {
        **TINY,
        "policy": {"id": GradientPolicy.id, "params": {"width": 8}},
        "strategy": {
            "params": {
                **TINY["strategy"]["params"], "inner_steps": 2, "learn_rates": True, "elementwise_rates": True,
            }
        },
    }  # fmt: skip

    class Params(SupportParams, InnerLoopParams):
        """The inner loop, the tasks, and the outer loop."""

    def first_policy(self, context: Context[Any]) -> GradientPolicy:
        policy = super().first_policy(context)
        assert isinstance(policy, GradientPolicy)
        policy.set_inner_loop(self.params)
        return policy
