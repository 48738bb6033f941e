"""Reinforcement learning on the source as it is: what the other strategies of this kind are held against."""

from collections.abc import Sequence

from studio.experiment import Domain, RandomizationTerm
from studio.rl.strategy import ReinforcementStrategy


class RLFromScratch(ReinforcementStrategy):
    """PPO on the source's nominal world, whatever randomization the source has; scored on the target as it stands."""

    id = "rl_from_scratch"
    title = "RL from scratch"
    summary = "PPO learns on the source's nominal body alone; the target is only met when it is scored."
    reference = "Schulman et al. 2017 (arXiv:1707.06347); user document 2, Forward Transfer Learning"
    tags = ("reinforcement", "baseline")

    def terms(self, source: Domain) -> Sequence[RandomizationTerm]:
        return ()
