"""The base of the reinforcement learning strategies: one learner in one world, scored on the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

from studio.contracts import AuxiliaryLoss, Context, Metrics, Problem, Requires, Stateful, Strategy
from studio.experiment import Domain, Experiment, RandomizationTerm
from studio.rl.algorithms.ppo import PPO, UNITS
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.learners import Learner, Log, check_ppo
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.policy import FlatPolicy
from studio.sim.world import World

# A hopper with a randomized torso mass, for a few rollouts of PPO.
TINY_PPO: dict[str, Any] = {
    "simulations": 4, "steps": 16, "minibatch": 16, "epochs": 2, "update": "eager", "physics_threads": 1,
}  # fmt: skip
_HOPPER = {
    "embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state",
    "randomization": [{"field": "mass", "parts": "torso", "low": 0.5, "high": 1.5}],
}  # fmt: skip
TINY: dict[str, Any] = {
    "name": "example",
    "source": _HOPPER,
    "target": _HOPPER,
    "policy": {"id": GaussianActorCritic.id, "params": {"width": 16}},
    "pretraining": {"iterations": 2, "params": TINY_PPO},
    "strategy": {"params": TINY_PPO},
    "budget": {"iterations": 8, "checkpoint_every": 3, "threads": 1},
    "evaluation": {"episodes": 3, "source_episodes": 0, "every": 4, "short_episodes": 2},
    "device": "cpu",
}


P = TypeVar("P", bound=FlatPolicy)


class ReinforcementStrategy(Strategy, Generic[P]):
    """Trains one policy, of the type P, in one world; an iteration is a rollout and its update. A subclass chooses the
    parts:

    - :meth:`training_domain`: the domain of that world. By default the source, randomized by :meth:`terms`.
    - :meth:`first_policy`: the initial policy. By default a new one of the world's sizes; a strategy that requires a
      source policy takes ``context.policy(pretrained=True)`` there.
    - :meth:`learner`: the algorithm and its settings. By default PPO with this strategy's own parameters.
    - :meth:`auxiliary`: losses on the policy's features beside the learner's own. By default none.
    """

    requires = Requires(same_spaces=True, evaluate_at_zero=True)
    unused_budget = ("batch_size",)
    policies: ClassVar[tuple[str, ...]] = (GaussianActorCritic.id,)  # the policies that it can train
    discrete: ClassVar[bool] = True  # whether it can train under a discrete control
    units = UNITS
    example: ClassVar[Mapping[str, Any]] = TINY
    _learner: Learner

    class Params(PPOParams):
        """Optimization and collection."""

    def training_domain(self, experiment: Experiment) -> Domain:
        """Return the domain that the policy trains in."""
        source = experiment.source
        return source.model_copy(update={"randomization": list(self.terms(source))})

    def terms(self, source: Domain) -> Sequence[RandomizationTerm]:
        """Return the randomization of the source in training: by default none, but observed terms stay observed."""
        return [term.model_copy(update={"probability": 0.0}) for term in source.randomization if term.observed]

    def first_policy(self, context: Context[World], world: World) -> P:
        """Return the policy that training starts from, on the context's device."""
        policy = cast(P, context.policy(pretrained=False))  # :attr:`policies` are of this type
        policy.fit_to(world, context.experiment.seed)
        return policy.to(context.device)

    @property
    def settings(self) -> Any:
        """Return the learner's settings, with ``simulations`` and ``physics_threads``: by default the strategy's own
        parameters."""
        return self.params

    def learner(self, policy: P, world: World, plan: Experiment, log: Log) -> Learner:
        """Return the learner that trains the policy in the world over the budget."""
        assert isinstance(policy, GaussianActorCritic)  # what PPO trains
        iterations, auxiliary = plan.budget.iterations, self.auxiliary(policy)
        return PPO(policy, world, self.settings, iterations=iterations, seed=plan.seed, log=log, auxiliary=auxiliary)

    def auxiliary(self, policy: P) -> Sequence[AuxiliaryLoss]:
        """Return losses that are added to the learner's own; see :class:`studio.rl.auxiliary.AuxiliaryLosses`.

        A loss with parameters of its own is a ``torch.nn.Module``: the learner trains and saves them.
        """
        return ()

    def check(self, experiment: Experiment) -> list[Problem]:
        return [*self._check_policy(experiment), *self._check_domains(experiment), *self._check_learner(experiment)]

    def setup(self, context: Context[Any]) -> None:
        plan, settings = context.experiment, self.settings
        self._world = context.world(self.training_domain(plan), settings.simulations, settings.physics_threads)
        self._policy = self.first_policy(context, self._world)
        self._learner = self.learner(self._policy, self._world, plan, context.log)

    def iterate(self) -> Iterator[Metrics]:
        yield from self._learner.iterate()
        self._world.close()

    def policy(self) -> P:
        return self._policy

    def stateful(self) -> Mapping[str, Stateful]:
        return {"learner": self._learner}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a checkpoint; in those of earlier versions the learner's state is not nested under ``learner``."""
        super().load_state_dict(state if "learner" in state else {**state, "learner": state})

    def _check_policy(self, experiment: Experiment) -> list[Problem]:
        if experiment.policy.id not in self.policies:
            message = f"'{self.title}' cannot train '{experiment.policy.id}'."
            return [Problem("policy.id", message, f"Choose {' or '.join(self.policies)}.")]
        if experiment.source.control == "discrete" and not self.discrete:
            message = f"The control is discrete: '{self.title}' cannot train for it."
            return [Problem("strategy.id", message, "Choose rl_from_scratch, or a task with continuous actions.")]
        return []

    def _check_domains(self, experiment: Experiment) -> list[Problem]:
        source, target, problems = experiment.source, experiment.target, []
        for name, domain in (("source", source), ("target", target)):
            if domain.observes("image"):
                problems.append(
                    Problem(
                        f"{name}.observation",
                        f"'{self.title}' observes states, not images.",
                        "Choose the observation state or goal.",
                    )
                )
        for field in ("embodiment", "control", "observation"):
            if getattr(source, field) != getattr(target, field):
                problems.append(
                    Problem(f"target.{field}", f"Source and target differ in {field}.", "Choose the same for both.")
                )
        return problems

    def _check_learner(self, experiment: Experiment) -> list[Problem]:
        return check_ppo(self.settings, self.settings_field, experiment.budget.iterations)
