"""Correlation alignment: source features get the target's mean and covariance, and a new head is trained on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from studio.contracts import Batch, Context, Problem, Requires
from studio.data.batches import BatchSampler
from studio.experiment import Experiment, setting
from studio.il.co_training import other_robot
from studio.il.mixture import mixture
from studio.il.strategy import TINY, CloningParams, CloningStrategy
from studio.nn.correlation_alignment import alignment


class CORAL(CloningStrategy):
    """The shallow line: the source policy's features are frozen. Its action head learns from the source's actions, on
    source features that a linear map has given the mean and covariance of the target's; of the target nothing but
    observations is used."""

    id = "coral"
    title = "Correlation alignment (CORAL)"
    summary = "Gives the source's frozen features the target's covariance and trains only the action head on them."
    reference = "Sun, Feng and Saenko 2016, Return of frustratingly easy domain adaptation, arXiv:1511.05547"
    requires = Requires(source_policy=True, source_data=True, target_data=True)
    tags = ("imitation", "domain adaptation", "frozen")
    frozen_features = True
    moves_source_features = True
    example = {**TINY, "target": {**TINY["target"], "embodiment": "franka_7dof"}}

    class Params(CloningParams):
        """Optimization and regularization."""

        regularization: float = setting(
            0.1,
            "Regularization",
            "Added to both covariances' diagonals, in units of the mean variance of the source's features.",
            gt=0,
            le=1e6,
        )

    def check(self, experiment: Experiment) -> list[Problem]:
        return [*super().check(experiment), *other_robot(experiment)]

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=True).train(False).requires_grad_(False)
        target, source = mixture(context, policy, 0.5, target_actions=False)
        samples = BatchSampler(policy, [target, source], 2, context.experiment.seed)
        with torch.no_grad():
            found = [torch.cat([policy.features(part) for part in samples.samples(index)]) for index in range(2)]
        move = self._alignment(found[1], found[0])

        def aligned(batch: Batch) -> torch.Tensor:
            return move(policy.features(batch))

        head = policy.get_submodule(policy.head).requires_grad_(True)
        self.clone(context, policy, list(head.parameters()), datasets=[source], features=aligned)

    def aligned(self, features: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self._alignment(source, target)(features)

    def _alignment(self, source: torch.Tensor, target: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        return alignment(source, target, self.params.regularization)
