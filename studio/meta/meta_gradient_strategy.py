"""The base of the strategies that adapt a policy to a new task by policy gradient steps."""

from __future__ import annotations

from studio.contracts import Context, Policy, Problem, Requires, Shots
from studio.experiment import Domain, Experiment
from studio.meta.hidden_context import hidden, ignore_context
from studio.meta.meta_gradient_params import MetaGradientParams
from studio.meta.meta_policy_gradient import MetaPolicyGradient
from studio.meta.task_actor import TaskActor
from studio.rl.learners import Log
from studio.rl.strategy import ReinforcementStrategy
from studio.seeds import shot_seed
from studio.sim.world import World


class MetaGradientStrategy(ReinforcementStrategy[TaskActor]):
    """Meta-trains an actor on the source's family, whose context it never observes. A shot is a gradient step, on
    episodes of the new task that no evaluation has."""

    requires = Requires(same_spaces=True, task_family=True, evaluate_at_zero=True)
    adapts = True
    policies = (TaskActor.id,)
    discrete = False
    units = MetaPolicyGradient.units
    _learner: MetaPolicyGradient

    class Params(MetaGradientParams):
        """Tasks and trajectories, the inner loop, and the outer loop's trust region."""

    def training_domain(self, experiment: Experiment) -> Domain:
        return hidden(experiment.source)

    def first_policy(self, context: Context[World], world: World) -> TaskActor:
        policy = super().first_policy(context, world)
        ignore_context(policy)
        return policy

    def learner(self, policy: TaskActor, world: World, plan: Experiment, log: Log) -> MetaPolicyGradient:
        return MetaPolicyGradient(
            policy, world, self.params, iterations=plan.budget.iterations, seed=plan.seed, log=log
        )

    def adapt(self, shots: Shots) -> Policy:
        if not shots.count:
            return super().adapt(shots)
        domain, settings = shots.domain, self.params
        world = World(domain.domain, domain.new_task(), domain.embodiment, settings.episodes, settings.physics_threads)
        try:
            return self._learner.adapted(world, shots.count, shot_seed(shots.seed, domain.domain.contexts))
        finally:
            world.close()

    def _check_learner(self, experiment: Experiment) -> list[Problem]:
        return []
