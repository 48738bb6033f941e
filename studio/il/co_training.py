"""The base of the strategies that clone source and target demonstrations together."""

from __future__ import annotations

from typing import ClassVar

from studio.contracts import Problem, Requires
from studio.data.batches import shares
from studio.experiment import Experiment, setting
from studio.il.strategy import CloningParams, CloningStrategy


class CoTrainingParams(CloningParams):
    """Optimization, and how batches are mixed."""

    source_share: float = setting(
        0.5, "Source share", "Share of each batch that comes from the sources, all together.", ge=0.01, le=0.99
    )


class CoTrainingStrategy(CloningStrategy):
    """Every batch holds demonstrations of the target and of each source; see :func:`studio.il.mixture.mixture`."""

    requires = Requires(source_policy=True, source_data=True, target_data=True)
    min_samples: ClassVar[int] = 1  # samples of each domain in a batch

    class Params(CoTrainingParams):
        """Optimization, and how batches are mixed."""

    def check(self, experiment: Experiment) -> list[Problem]:
        problems, batch, share = super().check(experiment), experiment.budget.batch_size, self.params.source_share
        sources = len(experiment.sources)
        if min(shares([1 - share, *[share / sources] * sources], batch)) < self.min_samples:
            message = f"A batch of {batch} has no room for every domain at a source share of {share}."
            problems.append(Problem("budget.batch_size", message, "Choose a larger batch or a share nearer to a half."))
        return problems
