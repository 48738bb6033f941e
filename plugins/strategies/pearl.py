"""PEARL: a policy that acts by a latent variable of the task, which it infers in a few episodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from studio.contracts import Context, Policy, Problem, Requires, ResolvedDomain, Shots
from studio.experiment import Domain, Experiment
from studio.meta.assigned_trials import AssignedTrials
from studio.meta.hidden_context import hidden, ignore_context
from studio.meta.latent_policy import AdaptedLatentPolicy, LatentActorCritic
from studio.meta.pearl import PEARLLearner
from studio.meta.pearl_update import PEARLParams
from studio.meta.task_seeds import task_seeds
from studio.meta.trials import run_trials
from studio.rl.algorithm_choice import TINY_SAC
from studio.rl.learners import Learner, Log, check_compiler, check_learning_starts
from studio.rl.strategy import TINY, ReinforcementStrategy
from studio.seeds import training_episode_seed
from studio.sim.world import World

CIRCLE = {"embodiment": "point", "task": "half_circle", "control": "motor", "observation": "state"}


class PEARL(ReinforcementStrategy[LatentActorCritic]):
    """Soft actor-critic over tasks of the source's family, with an encoder that infers them from recent trials.

    A shot is an episode of the new task. The first is played by a z of the prior, each later one by a z of the
    posterior after those before it, with sampled actions as in training; the adapted policy acts by the posterior's
    mean and by mean actions.
    """

    id = "pearl"
    title = "PEARL"
    summary = "Infers a latent variable of a new task from a few episodes, by posterior sampling, off-policy."
    reference = "Rakelly et al. 2019 (arXiv:1903.08254)"
    tags = ("reinforcement", "meta-learning")
    requires = Requires(same_spaces=True, task_family=True, evaluate_at_zero=True)
    policies = (LatentActorCritic.id,)
    discrete = False
    units = PEARLLearner.units
    example: ClassVar[dict[str, Any]] = {
        **TINY,
        **dict.fromkeys(("source", "target"), CIRCLE),
        "policy": {"id": LatentActorCritic.id, "params": {"width": 16, "encoder_width": 8, "latent": 2}},
        "strategy": {
            "params": {
                **{name: value for name, value in TINY_SAC.items() if name != "samples"},
                "task_batch": 3,
                "context": 8,
                "training_tasks": 6,
                "rewarded_share": 0.5,
                "anneal": True,
            }
        },
        "evaluation": {**TINY["evaluation"], "shots": [0, 1], "held_out": "inside"},
    }
    example_variants: ClassVar[dict[str, Any]] = {
        "recurrent": {"policy.params": {"width": 16, "encoder_width": 8, "latent": 2, "encoder": "recurrent"}}
    }

    class Params(PEARLParams):
        """Tasks, trials and SAC."""

    def training_domain(self, experiment: Experiment) -> Domain:
        return hidden(experiment.source)

    def first_policy(self, context: Context[World], world: World) -> LatentActorCritic:
        first = training_episode_seed(context.experiment.seed)
        seeds = task_seeds(world.domain, world.task, self.params.training_tasks, first)
        self._trials = AssignedTrials(world, self.params.trial + self.params.extra, seeds)
        policy = super().first_policy(context, world)
        ignore_context(policy)
        return policy

    def learner(self, policy: LatentActorCritic, world: World, plan: Experiment, log: Log) -> Learner:
        iterations, seed = plan.budget.iterations, plan.seed
        return PEARLLearner(policy, world, self._trials, self.params, iterations=iterations, seed=seed, log=log)

    def adapt(self, shots: Shots) -> Policy:
        memory = None
        if shots.count:
            _, memory = run_trials(self._policy.exploring(shots.seed), shots.domain, shots.count, [shots.seed])
        return AdaptedLatentPolicy(self._policy, memory)

    def _check_learner(self, experiment: Experiment) -> list[Problem]:
        params, problems = self.params, check_compiler(self.params, self.settings_field)
        if params.samples != PEARLParams.model_fields["samples"].default:
            message = "An iteration is what each simulation plays of one task, so samples has no effect."
            problems.append(Problem(f"{self.settings_field}.samples", message, "Leave it out."))
        if params.capacity < 2 * params.training_tasks:
            message = f"The replay buffer holds {params.capacity} transitions of {params.training_tasks} tasks in all."
            remedy = f"Choose {2 * params.training_tasks} or more, or fewer tasks."
            problems.append(Problem(f"{self.settings_field}.capacity", message, remedy))
        return problems

    def check_domains(self, experiment: Experiment, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        params, horizon = self.params, domains["source"].task.horizon
        steps = experiment.budget.iterations * params.simulations * (params.trial + params.extra) * horizon
        return check_learning_starts(params, self.settings_field, steps)
