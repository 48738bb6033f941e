"""MAESN: exploration by a latent that is drawn once an episode, whose distribution is adapted to each task."""

from __future__ import annotations

from collections.abc import Iterator

from studio.contracts import Problem
from studio.experiment import Experiment, setting
from studio.meta.latent_task_actor import LATENT, LatentTaskActor
from studio.meta.meta_gradient_params import MetaGradientParams
from studio.meta.meta_gradient_strategy import MetaGradientStrategy
from studio.meta.meta_policy_gradient import MetaPolicyGradient, weights_of
from studio.meta.task_actor import TaskActor
from studio.rl.learners import Log
from studio.rl.strategy import TINY
from studio.sim.world import World

OF_POLICY = ("advantage_scale", "estimator")  # read where the inner loop changes the policy
POINT = {"embodiment": "point", "task": "half_circle_dense", "control": "motor", "observation": "state"}


class MAESN(MetaGradientStrategy):
    """Every training task has a distribution of the latent that its inner loop starts from, trained with the policy and
    drawn to the standard normal, which a new task starts from. What it explores are the courses of action that training
    tasks needed."""

    id = "maesn"
    title = "MAESN"
    summary = "Explores a new task by a latent drawn once an episode, and adapts the latent's distribution to it."
    reference = "Gupta et al. 2018 (arXiv:1802.07245)"
    tags = ("reinforcement", "meta-learning")
    policies = (LatentTaskActor.id,)
    example = {
        **TINY,
        "source": POINT,
        "target": {**POINT, "task": "half_circle"},
        "policy": {"id": LatentTaskActor.id, "params": {"width": 8}},
        "strategy": {"params": {"meta_batch": 3, "episodes": 2, "tasks": 6, "physics_threads": 1}},
        "evaluation": {**TINY["evaluation"], "shots": [0, 1], "held_out": "inside"},
    }

    class Params(MetaGradientParams):
        """Tasks and trajectories, the inner loop, and the outer loop's trust region."""

        tasks: int = setting(
            100, "Tasks", "Tasks that it learns from, at most: each has a latent of its own.", "tasks", ge=2, le=100_000
        )
        prior_weight: float = setting(
            0.1, "Prior weight", "Weight of the latents' divergence from the standard normal.", ge=0, le=1000
        )
        adapt_policy: bool = setting(
            False, "Adapt policy", "The inner loop changes the policy too, not the latent's distribution alone."
        )
        learn_rates: bool = setting(True, "Learn rates", "Also learn the inner loop's rates, of every step.")
        elementwise_rates: bool = setting(
            True, "Elementwise rates", "Rates of its own for every number of a parameter, instead of its tensor."
        )

    def learner(self, policy: TaskActor, world: World, plan: Experiment, log: Log) -> MetaPolicyGradient:
        p = self.params
        return MetaPolicyGradient(
            policy,
            world,
            p,
            iterations=plan.budget.iterations,
            seed=plan.seed,
            names=[*LATENT, *(weights_of(policy) if p.adapt_policy else ())],
            training_tasks=p.tasks,
            prior_weight=p.prior_weight,
            log=log,
        )

    def _check_learner(self, experiment: Experiment) -> list[Problem]:
        return [*super()._check_learner(experiment), *self._without_effect()]

    def _without_effect(self) -> Iterator[Problem]:
        field, fields = self.settings_field, self.Params.model_fields
        for name, value in self.params:
            if name in OF_POLICY and not self.params.adapt_policy and value != fields[name].default:
                message = f"The inner loop changes the latent alone, so {name} has no effect."
                yield Problem(f"{field}.{name}", message, f"Leave it out, or turn {field}.adapt_policy on.")
