"""Strategies that train by PPO or by SAC, as their parameters choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from studio.contracts import Problem
from studio.experiment import Experiment, Settings, setting
from studio.rl.algorithms import ppo
from studio.rl.algorithms import sac as soft
from studio.rl.learners import ALGORITHMS, Learner, Log
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.policy import FlatPolicy
from studio.rl.networks.recurrent import RecurrentActorCritic
from studio.rl.networks.squashed import SquashedActorCritic
from studio.rl.strategy import ReinforcementStrategy
from studio.sim.world import World

KINDS: tuple[type[FlatPolicy], ...] = (GaussianActorCritic, RecurrentActorCritic, SquashedActorCritic)
# policy → algorithm; a recurrent policy is trained by recurrent PPO, which is the choice "ppo" too
POLICIES = {kind.id: "sac" if kind.algorithm == "sac" else "ppo" for kind in KINDS}

# The replay buffer is full before the end, so that a resumed run has to continue its ring.
TINY_SAC: dict[str, Any] = {
    "simulations": 4, "samples": 40, "learning_starts": 60, "update_ratio": 0.25, "batch_size": 16, "capacity": 200,
    "update": "eager", "physics_threads": 1,
}  # fmt: skip


class AlgorithmChoice(Settings):
    """The choice of algorithm: a mixin for parameters that are PPO's, whose fields come first."""

    algorithm: Literal["ppo", "sac"] = setting(
        "ppo",
        "Algorithm",
        "PPO is fast with many simulations; SAC needs fewer environment steps and trains squashed_mlp.",
    )
    sac: soft.SACParams = setting(soft.SACParams(), "SAC", "Parameters of SAC, used if it is the algorithm.")


class ChosenAlgorithm(ReinforcementStrategy[FlatPolicy]):
    """A strategy whose parameters choose PPO or SAC: its ``Params`` derive from ``PPOParams`` and
    :class:`AlgorithmChoice`."""

    policies = tuple(POLICIES)
    units = {**ppo.UNITS, **soft.UNITS}
    example_variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sac": {
            "policy": {"id": SquashedActorCritic.id, "params": {"width": 16}},
            "pretraining.params": TINY_SAC,
            "strategy.params": {"algorithm": "sac", "sac": TINY_SAC},
        }
    }

    @property
    def settings(self) -> Any:
        return self.params.sac if self.params.algorithm == "sac" else self.params

    @property
    def settings_field(self) -> str:
        return "strategy.params.sac" if self.params.algorithm == "sac" else "strategy.params"

    def learner(self, policy: FlatPolicy, world: World, plan: Experiment, log: Log) -> Learner:
        make, iterations, auxiliary = ALGORITHMS[policy.algorithm].make, plan.budget.iterations, self.auxiliary(policy)
        return make(policy, world, self.settings, iterations=iterations, seed=plan.seed, log=log, auxiliary=auxiliary)

    def _check_policy(self, experiment: Experiment) -> list[Problem]:
        problems, chosen, wanted = super()._check_policy(experiment), experiment.policy.id, self.params.algorithm
        if not problems and POLICIES[chosen] != wanted:
            fitting = " or ".join(name for name, algorithm in POLICIES.items() if algorithm == wanted)
            message = f"{wanted.upper()} does not train '{chosen}'."
            remedy = f"Choose {fitting}, or the algorithm {POLICIES[chosen]}."
            problems.append(Problem("policy.id", message, remedy))
        return problems

    def _check_learner(self, experiment: Experiment) -> list[Problem]:
        chosen = self.params.algorithm
        fitting = [k.algorithm for k in KINDS if k.id == experiment.policy.id and POLICIES[k.id] == chosen]
        algorithm = fitting[0] if fitting else chosen  # a mismatch is reported at the policy
        return ALGORITHMS[algorithm].check(self.settings, self.settings_field, experiment.budget.iterations)
