"""Train on the source alone and act on the target: what adaptation has to improve on."""

from __future__ import annotations

from typing import Any

from studio.contracts import Context, Problem, Requires
from studio.data.batches import Mixed
from studio.experiment import Experiment
from studio.il.co_training import other_robot
from studio.il.strategy import TINY, CloningStrategy


class SourceOnly(CloningStrategy):
    """The source policy continues to learn from the source's demonstrations, for as many steps as the adaptation
    methods take; nothing of the target is learned from."""

    id = "source_only"
    title = "Source only"
    summary = "Trains on the source's demonstrations alone: the baseline that domain adaptation must beat."
    reference = "The lower bound of Ganin et al. 2016, arXiv:1505.07818, table 2"
    requires = Requires(source_policy=True, source_data=True)
    tags = ("baseline", "imitation", "domain adaptation")
    example = {**TINY, "target": {**TINY["target"], "embodiment": "franka_7dof"}}

    def check(self, experiment: Experiment) -> list[Problem]:
        return [*super().check(experiment), *other_robot(experiment)]

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=True).train().requires_grad_(True)
        datasets = [Mixed(context.demonstrations(context.sources[0]), domain=1)]
        self.clone(context, policy, list(policy.parameters()), datasets=datasets)
