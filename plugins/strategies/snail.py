"""SNAIL: as RL², with temporal convolutions and causal attention over the trial in place of a recurrent network."""

from __future__ import annotations

from plugins.strategies.rl2 import RL2
from studio.meta.snail import SnailActorCritic
from studio.rl.strategy import TINY, TINY_PPO

BANDIT = {"embodiment": "point", "task": "bandit_5", "control": "discrete", "observation": "state"}


class SNAIL(RL2):
    """PPO over trials of the source's family; the policy attends to all earlier steps of the trial."""

    id = "snail"
    title = "SNAIL"
    summary = "A policy that attends to every earlier step of its trial, so that it explores a new task and uses it."
    reference = "Mishra et al. 2018 (arXiv:1707.03141)"
    policies = (SnailActorCritic.id,)
    example = {
        **TINY,
        **dict.fromkeys(("source", "target"), BANDIT),
        "policy": {"id": SnailActorCritic.id, "params": {"width": 16, "hidden": 16, "filters": 4}},
        "strategy": {"params": {**TINY_PPO, "trial": 2, "steps": 20}},
        "evaluation": {**TINY["evaluation"], "shots": [0, 1]},
    }
