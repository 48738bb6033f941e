"""RL²: a recurrent policy whose memory lasts for a trial of k episodes of one task. It observes previous actions,
rewards and episode ends, so that it can explore in the first episodes and exploit in the later ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from studio.contracts import Context, Metrics, Problem, Requires, Stateful
from studio.experiment import Domain, Experiment, Settings, setting
from studio.meta.hidden_context import hidden, ignore_context
from studio.meta.trial_fast_weights import TrialFastWeights
from studio.meta.trial_hypernetwork import TrialHyperActorCritic
from studio.meta.trial_policy import TrialActorCritic
from studio.meta.trial_returns import TrialReturns
from studio.meta.trial_shots import check_trial_shots
from studio.meta.trials import Trials
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.recurrent_ppo import RecurrentPPO
from studio.rl.learners import Learner, Log, check_compiler, check_minibatch
from studio.rl.strategy import TINY, TINY_PPO, ReinforcementStrategy
from studio.sim.world import World

KINDS = TrialActorCritic, TrialHyperActorCritic, TrialFastWeights
COMPILED = {kind.id for kind in KINDS if kind.can_compile_unroll}
POINT = {"embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "state"}


class TrialParams(Settings):
    """The length of a trial, and how exploration ends: a mixin whose fields come first."""

    trial: int = setting(2, "Trial", "Episodes of one task that the memory lasts over.", "episodes", ge=1, le=100)
    anneal_entropy: bool = setting(
        False, "Anneal entropy", "Decays the entropy weight linearly to 0 over the budget.", since=2
    )


class RL2(ReinforcementStrategy[TrialActorCritic]):
    """Recurrent PPO over trials of the source's family; the policy never observes the context."""

    id = "rl2"
    title = "RL²"
    summary = "A recurrent policy that explores a new task in a few episodes and remembers what it found."
    reference = (
        "Duan et al. 2016 (arXiv:1611.02779); hypernetwork head: Beck et al. 2023 (arXiv:2309.14970); fast weights: "
        "Schlag et al. 2021 (arXiv:2102.11174)"
    )
    tags = ("reinforcement", "meta-learning")
    requires = Requires(same_spaces=True, task_family=True, evaluate_at_zero=True)
    policies: ClassVar[tuple[str, ...]] = tuple(kind.id for kind in KINDS)
    example = {
        **TINY,
        **dict.fromkeys(("source", "target"), POINT),
        "policy": {"id": TrialActorCritic.id, "params": {"width": 16, "hidden": 16}},
        "strategy": {"params": {**TINY_PPO, "steps": 64}},  # some episodes end
        "evaluation": {**TINY["evaluation"], "shots": [0, 1]},
    }

    class Params(PPOParams, TrialParams):
        """Trials, optimization and collection."""

    def training_domain(self, experiment: Experiment) -> Domain:
        return hidden(experiment.source)

    def first_policy(self, context: Context[World], world: World) -> TrialActorCritic:
        self._trials = Trials(world, self.params.trial)
        self._returns = TrialReturns(world, self._trials)
        world.observers.append(self._returns)
        policy = super().first_policy(context, world)
        ignore_context(policy)
        return policy

    def learner(self, policy: TrialActorCritic, world: World, plan: Experiment, log: Log) -> Learner:
        given = {
            "anneal_entropy": self.params.anneal_entropy,
            "auxiliary": self.auxiliary(policy),
            "log": log,
        }
        return RecurrentPPO(policy, world, self.params, iterations=plan.budget.iterations, seed=plan.seed, **given)

    def iterate(self) -> Iterator[Metrics]:
        for found in super().iterate():
            values = {**found.values, **self._returns.metrics()}
            yield Metrics(found.step, found.total, values, found.stage, found.share)

    def stateful(self) -> Mapping[str, Stateful]:
        return {**super().stateful(), "trials": self._trials, "returns": self._returns}

    def _check_learner(self, experiment: Experiment) -> list[Problem]:
        params, field = self.params, self.settings_field
        compiler = check_compiler(params, field) if experiment.policy.id in COMPILED else []
        shots = check_trial_shots(experiment, params.trial, field)
        return [*compiler, *check_minibatch(params, field), *shots]
