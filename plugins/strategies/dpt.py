"""DPT, the decision-pretrained transformer: from what happened in a trial it predicts the expert's action, and acts by
samples of that prediction, which is posterior sampling."""

from __future__ import annotations

from collections.abc import Mapping

from studio.contracts import Context, Problem, Requires, ResolvedDomain
from studio.experiment import Domain, Experiment, setting
from studio.meta.decision_pretraining import DecisionParams, DecisionPretraining
from studio.meta.hidden_context import hidden, ignore_context
from studio.meta.trial_shots import check_trial_shots
from studio.meta.trial_transformer import TrialTransformer
from studio.meta.trials import Trials
from studio.rl.learners import Learner, Log
from studio.rl.strategy import TINY, ReinforcementStrategy
from studio.sim.world import World

BANDIT = {"embodiment": "point", "task": "bandit_5", "control": "discrete", "observation": "state"}


class DPT(ReinforcementStrategy[TrialTransformer]):
    """Supervised pretraining on tasks of the source's family; the policy never observes the context."""

    id = "dpt"
    title = "DPT"
    summary = "A transformer that predicts the best action from what happened in a trial, and samples it to explore."
    reference = "Lee et al. 2023 (arXiv:2306.14892)"
    tags = ("supervised", "meta-learning")
    requires = Requires(same_spaces=True, task_family=True, evaluate_at_zero=True)
    policies = (TrialTransformer.id,)
    units = DecisionPretraining.units
    example = {
        **TINY,
        **dict.fromkeys(("source", "target"), BANDIT),
        "policy": {"id": TrialTransformer.id, "params": {"width": 8, "heads": 2, "layers": 1}},
        "strategy": {"params": {"trial": 2, "simulations": 8, "minibatch": 8, "own": 0.5, "physics_threads": 1}},
        "evaluation": {**TINY["evaluation"], "shots": [0, 1]},
    }

    class Params(DecisionParams):
        """Trials, optimization and collection."""

        trial: int = setting(1, "Trial", "Episodes of one task that the memory lasts over.", "episodes", ge=1, le=100)

    def training_domain(self, experiment: Experiment) -> Domain:
        return hidden(experiment.source)

    def first_policy(self, context: Context[World], world: World) -> TrialTransformer:
        self._trials = Trials(world, self.params.trial)
        policy = context.policy(pretrained=False)
        assert isinstance(policy, TrialTransformer)
        ignore_context(policy)
        policy.fit_to(world, context.experiment.seed)
        return policy.to(context.device)

    def learner(self, policy: TrialTransformer, world: World, plan: Experiment, log: Log) -> Learner:
        given = {"iterations": plan.budget.iterations, "seed": plan.seed}
        return DecisionPretraining(policy, world, self._trials, self.params, **given)

    def _check_learner(self, experiment: Experiment) -> list[Problem]:
        if experiment.source.control != "discrete":
            words = f"'{self.title}' predicts one of several choices, and the actions are continuous."
            return [Problem("source.task", words, "Choose a task with discrete control, such as bandit_5.")]
        return check_trial_shots(experiment, self.params.trial, self.settings_field)

    def check_domains(self, experiment: Experiment, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        task = domains["source"].task
        if task.has_expert:
            return []
        words = f"The task '{task.id}' has no scripted expert, whose actions are what is predicted."
        return [Problem("source.task", words, "Choose one that has, such as bandit_5 or tabular_mdp.")]
