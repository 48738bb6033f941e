"""EPOpt: trained on the worst of many bodies, so that the target need not be like the best of them."""

import math
from collections.abc import Sequence
from typing import Any

from studio.contracts import Problem
from studio.experiment import Domain, Experiment, RandomizationTerm
from studio.rl.algorithms.worst_cases import WorstCaseParams, WorstCasePPO
from studio.rl.strategy import ReinforcementStrategy


class EPOpt(ReinforcementStrategy):
    """PPO on the ε worst of the bodies drawn from the source's randomization, after a warm-up on all of them."""

    id = "epopt"
    title = "EPOpt"
    summary = "PPO learns from the worst share of the bodies drawn from the source's randomization: robust."
    reference = "Rajeswaran et al. 2017 (arXiv:1610.01283); user document 2, Trick: Randomization"
    tags = ("reinforcement", "randomization")
    units = WorstCasePPO.units

    class Params(WorstCaseParams):
        """Which bodies are learned from, optimization and collection."""

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        if not experiment.source.randomization:
            message, remedy = "The source varies in nothing, so none of its bodies is the worst.", "Add terms to it."
            problems.append(Problem("source.randomization", message, remedy))
        iterations, p = experiment.budget.iterations, self.params
        if p.epsilon < 1 and math.ceil(p.warm_up * iterations) >= iterations:
            message = f"The warm-up takes all {iterations} iterations: the worst are never learned from."
            problems.append(Problem("strategy.params.warm_up", message, "Shorten it, or train longer."))
        return problems

    def terms(self, source: Domain) -> Sequence[RandomizationTerm]:
        return source.randomization

    def learner(self, policy: Any, world: Any, plan: Experiment, say: Any) -> Any:
        return WorstCasePPO(policy, world, self.params, iterations=plan.budget.iterations, seed=plan.seed, say=say)
