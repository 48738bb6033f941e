"""Reinforcement learning with domain randomization: every episode draws new values from the source's randomization."""

from collections.abc import Sequence

from studio.contracts import Problem
from studio.experiment import Domain, Experiment, RandomizationTerm
from studio.rl.algorithm_choice import AlgorithmChoice, ChosenAlgorithm
from studio.rl.algorithms.ppo_params import PPOParams


class RLDomainRandomization(ChosenAlgorithm):
    """PPO or SAC on the source with all its randomization terms, and with its curriculum if it has one."""

    id = "rl_domain_randomization"
    title = "RL with domain randomization"
    summary = "PPO or SAC under the source's randomization, so that the policy also works on the target's dynamics."
    reference = "Peng et al. 2018 (arXiv:1710.06537)"
    tags = ("reinforcement", "randomization")

    class Params(PPOParams, AlgorithmChoice):
        """Algorithm, optimization and collection."""

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        if not experiment.source.randomization:
            problems.append(
                Problem(
                    "source.randomization",
                    "The source has no randomization.",
                    "Add randomization terms to the source, or choose rl_from_scratch.",
                )
            )
        return problems

    def terms(self, source: Domain) -> Sequence[RandomizationTerm]:
        return source.randomization
