"""What the strategies share that learn on policy from a world of the source, and are judged on the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from studio.contracts import Metrics, Problem, Strategy
from studio.errors import ExperimentError
from studio.experiment import Domain, Experiment, RandomizationTerm
from studio.rl.compiling import compiler
from studio.rl.policy import GaussianActorCritic, flatten
from studio.rl.ppo import PPO, UNITS, PPOParams


class ReinforcementStrategy(Strategy):
    """PPO on the source's world; a subclass says what varies there. An iteration is a rollout and its update."""

    needs_source = False
    needs_demonstrations = False
    units = UNITS

    class Params(PPOParams):
        """Optimization and collection."""

    def terms(self, source: Domain) -> Sequence[RandomizationTerm]:
        """What varies from episode to episode in training."""
        raise NotImplementedError

    def check(self, experiment: Experiment) -> list[Problem]:
        source, target, problems = experiment.source, experiment.target, []
        if experiment.policy.id != GaussianActorCritic.id:
            problems.append(
                Problem(
                    "policy.id",
                    f"'{self.title}' trains an actor with a critic; '{experiment.policy.id}' has none.",
                    f"Choose {GaussianActorCritic.id}.",
                )
            )
        for name, domain in (("source", source), ("target", target)):
            if domain.observation == "image":
                problems.append(
                    Problem(
                        f"{name}.observation", f"'{self.title}' sees states, not images.", "Choose state, or the goal."
                    )
                )
        for field in ("embodiment", "control", "observation"):
            if getattr(source, field) != getattr(target, field):
                problems.append(
                    Problem(f"target.{field}", f"Source and target differ in {field}.", "Choose the same for both.")
                )
        if self.params.update == "compiled" and not compiler():
            problems.append(
                Problem(
                    "strategy.params.update",
                    "There is no C++ compiler to compile the update with.",
                    "Install one (g++), or choose eager: about half as fast.",
                )
            )
        samples = self.params.simulations * self.params.steps
        if samples < self.params.minibatch:
            problems.append(
                Problem(
                    "strategy.params.minibatch",
                    f"An iteration has {samples} samples, fewer than a minibatch.",
                    "Make it smaller, or collect more.",
                )
            )
        return problems

    def setup(self, context: Any) -> None:
        plan = context.experiment
        domain = plan.source.model_copy(update={"randomization": list(self.terms(plan.source))})
        self._policy: GaussianActorCritic = context.empty_policy()
        target = context.world(plan.target, 1, threads=1)
        wanted = [*flatten(target.observe([0])).shape[1:], *target.actions.shape[1:]]
        target.close()
        world = context.world(domain, self.params.simulations, self.params.physics_threads)
        seen = flatten(world.observe([0]))
        if wanted != [seen.shape[1], world.actions.shape[1]]:
            raise ExperimentError(
                f"The source's observations and actions are {seen.shape[1]} and {world.actions.shape[1]} wide, the "
                f"target's {wanted[0]} and {wanted[1]}.",
                "target.task",
                "Choose tasks of the same widths.",
            )
        self._policy.fit(seen.shape[1], world.control.low, world.control.high, plan.seed)
        self._policy.to(context.device)
        self._learner = PPO(
            self._policy, world, self.params, iterations=plan.budget.iterations, seed=plan.seed, say=context.say
        )

    def iterate(self) -> Iterator[Metrics]:
        yield from self._learner.iterate()
        self._learner.rollouts.world.close()

    def policy(self) -> Any:
        return self._policy

    def state_dict(self) -> dict[str, Any]:
        return self._learner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._learner.load_state_dict(state)
