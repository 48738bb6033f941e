"""EPOpt: training on the worst episodes of a randomized source, for robustness against the target's dynamics."""

import math
from collections.abc import Sequence

from studio.contracts import Problem
from studio.experiment import Domain, Experiment, RandomizationTerm
from studio.rl.algorithms.worst_cases import WorstCaseParams, WorstCasePPO
from studio.rl.learners import Learner, Log
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.strategy import ReinforcementStrategy
from studio.sim.world import World


class EPOpt(ReinforcementStrategy[GaussianActorCritic]):
    """PPO on the fraction ε of episodes with the lowest returns under the source's randomization, after a warm-up."""

    id = "epopt"
    title = "EPOpt"
    summary = "PPO on the worst-performing fraction of episodes under the source's randomization, for robustness."
    reference = "Rajeswaran et al. 2017 (arXiv:1610.01283)"
    tags = ("reinforcement", "randomization")
    units = WorstCasePPO.units

    class Params(WorstCaseParams):
        """Which episodes are trained on, optimization and collection."""

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        if not experiment.source.randomization:
            message, remedy = (
                "The source has no randomization, so there are no worst cases to train on.",
                "Add randomization terms to the source.",
            )
            problems.append(Problem("source.randomization", message, remedy))
        iterations, p = experiment.budget.iterations, self.params
        if p.epsilon < 1 and math.ceil(p.warm_up * iterations) >= iterations:
            message = f"The warm-up takes all {iterations} iterations, so the worst cases are never trained on."
            problems.append(Problem("strategy.params.warm_up", message, "Shorten the warm-up, or train longer."))
        return problems

    def terms(self, source: Domain) -> Sequence[RandomizationTerm]:
        return source.randomization

    def learner(self, policy: GaussianActorCritic, world: World, plan: Experiment, log: Log) -> Learner:
        iterations, auxiliary = plan.budget.iterations, self.auxiliary(policy)
        return WorstCasePPO(
            policy, world, self.params, iterations=iterations, seed=plan.seed, log=log, auxiliary=auxiliary
        )
