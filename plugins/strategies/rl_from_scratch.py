"""Reinforcement learning without transfer: the baseline of the reinforcement learning strategies."""

from typing import Literal

from studio.experiment import Domain, Experiment, Settings, setting
from studio.rl.algorithm_choice import AlgorithmChoice, ChosenAlgorithm
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.networks.recurrent import RecurrentActorCritic


class Place(Settings):
    """The domain to train in: a mixin whose field comes first."""

    train_on: Literal["source", "target"] = setting(
        "source", "Train on", "Domain to train on: the source without randomization, or the target."
    )


class RLFromScratch(ChosenAlgorithm):
    """PPO or SAC from a new policy, scored on the target.

    On the source ("source-only") it trains without the source's randomization, and the target is used for scoring
    alone; on the target ("target-only") it trains in the domain that it is scored on.
    """

    id = "rl_from_scratch"
    title = "RL from scratch"
    summary = "PPO or SAC on the unrandomized source alone or on the target alone: the baseline without transfer."
    reference = "Schulman et al. 2017 (arXiv:1707.06347); Haarnoja et al. 2018 (arXiv:1812.05905)"
    tags = ("reinforcement", "baseline")
    example_variants = {
        **ChosenAlgorithm.example_variants,
        "recurrent": {"policy": {"id": RecurrentActorCritic.id, "params": {"width": 16, "hidden": 16}}},
    }

    class Params(PPOParams, Place, AlgorithmChoice):
        """Algorithm, training domain, optimization and collection."""

    def training_domain(self, experiment: Experiment) -> Domain:
        return experiment.target if self.params.train_on == "target" else super().training_domain(experiment)
