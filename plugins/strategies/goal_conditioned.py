"""Goal-conditioned reinforcement learning with hindsight experience replay.

Policy and critic are functions of state and goal (Schaul et al. 2015). The reward is for reaching the goal alone;
hindsight relabels transitions with goals that were reached (Andrychowicz et al. 2017). Self-generated goals are states
that the agent has visited: they need neither rewards nor goals of the environment.
"""

from __future__ import annotations

from typing import Any

from studio.contracts import Problem
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.rl.algorithms import dqn, sac
from studio.rl.algorithms.dqn import DQN, DQNParams
from studio.rl.algorithms.sac import SAC, SACParams
from studio.rl.hindsight import HindsightParams, has_goals
from studio.rl.learners import Learner, Log, check_off_policy
from studio.rl.networks.policy import FlatPolicy
from studio.rl.networks.q_policy import QPolicy
from studio.rl.networks.squashed import SquashedActorCritic
from studio.rl.strategy import TINY, ReinforcementStrategy
from studio.sim.world import World

_BITS = {"embodiment": "bits_8", "task": "bit_flip", "control": "discrete", "observation": "goal"}
_ARM = {"embodiment": "franka_7dof", "task": "reach", "control": "end_effector", "observation": "goal"}
_PARAMS: dict[str, Any] = {
    "simulations": 4, "samples": 64, "batch_size": 16, "learning_starts": 64, "capacity": 1000,
    "update": "eager", "physics_threads": 1,
}  # fmt: skip


class GoalConditioned(ReinforcementStrategy[FlatPolicy]):
    """Double DQN where the control is discrete, SAC elsewhere, on the source's or self-generated goals; scored on the
    target's."""

    id = "goal_conditioned"
    title = "Goal-conditioned"
    summary = (
        "Goal-conditioned reinforcement learning with hindsight experience replay (HER), on the task's goals or "
        "self-generated ones."
    )
    reference = "Andrychowicz et al. 2017 (arXiv:1707.01495); Schaul et al. 2015 (ICML, UVFA)"
    tags = ("reinforcement", "multi-task", "goals")
    policies = (QPolicy.id, SquashedActorCritic.id)
    units = {**sac.UNITS, **dqn.UNITS, "goals_reached": ""}
    example = {
        **TINY,
        "source": _BITS,
        "target": _BITS,
        "policy": {"id": QPolicy.id, "params": {"width": 16}},
        "strategy": {"params": _PARAMS},
    }
    example_variants = {
        "self_generated": {"strategy.params": {**_PARAMS, "her": "none", "goals": "self_generated"}},
        "arm": {
            "source": _ARM,
            "target": _ARM,
            "policy.id": SquashedActorCritic.id,
            "strategy.params": {**_PARAMS, "her": "episode", "goals": "self_generated"},
        },
    }

    class Params(HindsightParams, DQNParams, SACParams):
        """Goals, hindsight, collection, optimization. The ε fields are for DQN, α and the target entropy for SAC."""

    def learner(self, policy: FlatPolicy, world: World, plan: Experiment, log: Log) -> Learner:
        p = self.params
        given = {"iterations": plan.budget.iterations, "seed": plan.seed, "log": log, "hindsight": p}
        given["auxiliary"] = self.auxiliary(policy)
        if isinstance(policy, QPolicy):
            # the least possible return is −1 per step forever
            least = -1 / (1 - p.gamma) if p.gamma < 1 else -float("inf")
            return DQN(policy, world, p, bounds=(least, 0.0), **given)
        return SAC(policy, world, p, **given)

    def check(self, experiment: Experiment) -> list[Problem]:
        tasks, problems = shared_registry().all("tasks"), []
        for name, domain in (("target", experiment.target), ("source", experiment.source)):
            task = tasks.get(domain.task)
            if task is not None and not has_goals(task):
                those = ", ".join(id for id, kind in tasks.items() if has_goals(kind))
                message = f"The task '{task.id}' does not define the goal that a state achieves."
                problems.append(Problem(f"{name}.task", message, f"Choose one of: {those}."))
            elif not domain.observes("goal"):
                message = (
                    f"'{self.title}' needs to observe the goal; the {name} observes the {domain.observation_kind}."
                )
                problems.append(Problem(f"{name}.observation", message, "Set the observation to goal."))
        if "goal" in experiment.policy.params.get("ignored", ()):
            message = f"'{self.title}' needs to observe the goal, but the policy ignores it."
            problems.append(Problem("policy.params.ignored", message, "Remove the goal from the ignored entries."))
        if any(problem.field.endswith(".task") for problem in problems):
            return problems  # the other checks depend on the task
        return [*problems, *super().check(experiment)]

    def _check_policy(self, experiment: Experiment) -> list[Problem]:
        discrete = experiment.source.control == "discrete"
        wanted = QPolicy.id if discrete else SquashedActorCritic.id
        if experiment.policy.id == wanted:
            return []
        kind = "discrete" if discrete else "not discrete"
        message = f"The control is {kind}: '{experiment.policy.id}' cannot be trained for it."
        return [Problem("policy.id", message, f"Choose {wanted}.")]

    def _check_domains(self, experiment: Experiment) -> list[Problem]:
        covered = ("source.observation", "target.observation")  # :meth:`check` reports them more precisely
        return [problem for problem in super()._check_domains(experiment) if problem.field not in covered]

    def _check_learner(self, experiment: Experiment) -> list[Problem]:
        return check_off_policy(self.params, self.settings_field, experiment.budget.iterations)
