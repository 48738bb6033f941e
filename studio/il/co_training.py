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


class AdaptationParams(CoTrainingParams):
    """Optimization, how batches are mixed, and what of the target is learned from."""

    use_target_actions: bool = setting(
        True,
        "Use target actions",
        "Also clone the target's actions. Off: only its observations are used (unsupervised domain adaptation).",
        since=2,
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


class AdaptationStrategy(CoTrainingStrategy):
    """Co-training that can leave the target's actions unused: then its policy knows them from the source alone, so both
    domains must be of one robot under one control."""

    class Params(AdaptationParams):
        """Optimization, how batches are mixed, and what of the target is learned from."""

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        return problems if self.params.use_target_actions else [*problems, *other_robot(experiment)]


def other_robot(experiment: Experiment) -> list[Problem]:
    """Return why the source's actions alone do not say how to act on the target: it is another robot or control."""
    for field in ("embodiment", "control"):
        source, target = (getattr(domain, field) for domain in (experiment.source, experiment.target))
        if source != target:
            words = f"The target's actions are not learned from, and the source's are of another {field} ('{source}')."
            return [
                Problem(f"target.{field}", words, f"Choose '{source}', or a strategy that uses the target's actions.")
            ]
    return []
