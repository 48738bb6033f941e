"""Off-dynamics reinforcement learning: experience of the source, paid as it would be worth on the target.

What the policy does on the source earns the source's reward and Δr, which is low where the target would not have let
it happen (Eysenbach et al. 2021, arXiv:2006.13916, algorithm 1). It learns what works on both: what only the target
allows it never finds, since all that it learns from happened on the source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from studio.contracts import Metrics, Problem
from studio.experiment import Domain, Experiment, Settings, setting
from studio.rl.algorithms.off_policy import Batch
from studio.rl.algorithms.sac import SAC, UNITS, SACParams
from studio.rl.collectors.env_runner import EnvRunner
from studio.rl.dynamics_gap import DIAGNOSTICS, DynamicsGap, GapLearner, GapParams
from studio.rl.learners import check_off_policy
from studio.rl.networks.squashed import SquashedActorCritic
from studio.rl.replay import Replay
from studio.rl.strategy import TINY, ReinforcementStrategy
from studio.seeds import target_visit_seed
from studio.sim.world import World

GAP = "gap"  # the classifiers' name beside a policy
OWN = ("classifiers", "target_env", "target_replay")  # of a learner's state, beside what every SAC's has
FORMER = {"seen_there": "target_replay", "there": "target_env"}  # names in the checkpoints of earlier versions

_POINT = {"embodiment": "point_mass", "task": "point_open", "control": "motor", "observation": "state"}


class VisitParams(Settings):
    """How the target is met, and what Δr counts."""

    source_steps: int = setting(10, "Source steps", "Source steps per target step.", "steps", ge=1, le=1_000_000)
    warm_up: int = setting(
        5_000,
        "Warm-up",
        "Source steps before Δr is added to the reward; until then only the classifiers are trained.",
        "steps",
        ge=0,
    )
    delta_weight: float = setting(
        1.0, "Weight of Δr", "Weight of the reward correction; 0 trains on the source reward alone.", ge=0, le=1000
    )
    classifier_ratio: float = setting(
        1.0, "Classifier ratio", "Classifier updates per update of actor and critics.", gt=0, le=100
    )


class DARCParams(SACParams, GapParams, VisitParams):
    """How the target is met, the classifiers, optimization and collection."""


class OffDynamicsSAC(SAC):
    """SAC on the source that visits the target, trains the classifiers on both, and learns from r + Δr.

    Args:
        target: where one step is taken for every ``source_steps`` on the source.
    """

    settings: DARCParams

    def __init__(
        self, policy: SquashedActorCritic, world: World, settings: DARCParams, *, target: World, seed: int, **more: Any
    ) -> None:
        super().__init__(policy, world, settings, seed=seed, **more)
        device, ignored = policy.low.device, policy.params.ignored
        self.target_env = EnvRunner(target, target_visit_seed(seed), device, ignored)
        visits = self.iterations * settings.samples // settings.source_steps + 2 * target.num_envs
        self.target_replay = Replay(min(settings.capacity, visits), target.num_envs, self.replay.widths, device)
        low, high = policy.low.cpu().numpy(), policy.high.cpu().numpy()
        self.gap = DynamicsGap(policy.params.inputs, low, high, settings, seed, device, ignored)
        self.classifiers = GapLearner(self.gap, settings, seed, settings.update == "compiled", self.say)
        policy.attach(GAP, self.gap)
        self._found: list[Tensor] = []  # of the classifiers, since the last iteration
        self._deltas: list[Tensor] = []

    def iterate(self) -> Iterator[Metrics]:
        for metrics in super().iterate():
            yield replace(metrics, values={**metrics.values, **self._of_the_gap()})

    def act(self) -> Any:
        step = super().act()
        while self.target_replay.time * self.target_replay.envs * self.settings.source_steps < self.samples:
            self.experience(self.target_env, self.target_replay)
        return step

    def learn(self, count: int) -> list[Tensor]:
        ratio, size = self.settings.classifier_ratio, self.settings.classifier_batch
        for _ in range(int((self.updates + count) * ratio) - int(self.updates * ratio)):
            source, target = (replay.sample(size, self.generator) for replay in (self.replay, self.target_replay))
            self._found.append(self.classifiers.step(source, target))
        return super().learn(count)

    def relabel(self, batch: Batch, times: Tensor, envs: Tensor) -> Batch:
        """Return a batch of the source's with r + Δr for its rewards, once the warm-up is over."""
        if self.samples <= self.settings.warm_up:
            return batch
        delta = self.gap.delta_reward(batch)
        self._deltas.append(delta.mean())
        return {**batch, "rewards": batch["rewards"] + self.settings.delta_weight * delta[:, None]}

    def state_dict(self) -> dict[str, Any]:
        own: dict[str, Any] = {name: getattr(self, name).state_dict() for name in OWN}
        return super().state_dict() | own

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        state = {FORMER.get(name, name): part for name, part in state.items()}
        super().load_state_dict(state)
        for name in OWN:
            getattr(self, name).load_state_dict(state[name])

    def _of_the_gap(self) -> dict[str, float]:
        values = {
            f"target_visit_{name}": value for name, value in self.target_env.metrics().items() if name != "diverged"
        }
        values["target_samples"] = float(self.target_replay.time * self.target_replay.envs)
        if self._found:
            values |= dict(zip(DIAGNOSTICS, torch.stack(self._found).mean(0).tolist(), strict=True))
        if self._deltas:
            values["delta_reward"] = torch.stack(self._deltas).mean().item()
        self._found, self._deltas = [], []
        return values


class DARC(ReinforcementStrategy):
    """SAC on the source as it stands, with rewards by which only what works on the target too is worth doing."""

    id = "darc"
    title = "DARC"
    summary = (
        "Reinforcement learning on the source with a reward correction that penalizes transitions unlikely under "
        "the target's dynamics."
    )
    reference = "Eysenbach et al. 2021 (arXiv:2006.13916)"
    tags = ("reinforcement", "off-dynamics")
    policies = (SquashedActorCritic.id,)
    companions = {GAP: DynamicsGap}
    example = {
        **TINY,
        "source": _POINT,
        "target": {**_POINT, "randomization": [{"field": "actuator_gain", "parts": "x", "low": 0.0, "high": 0.0}]},
        "policy": {"id": SquashedActorCritic.id, "params": {"width": 16}},
        "strategy": {
            "params": {
                "simulations": 4, "samples": 60, "batch_size": 16, "learning_starts": 40, "capacity": 1000,
                "update": "eager", "physics_threads": 1, "warm_up": 100, "classifier_width": 16,
                "classifier_batch": 8, "classifier_ratio": 0.5,
            }
        },
    }  # fmt: skip
    units = {
        **UNITS, "delta_reward": "nats", "target_samples": "steps", "target_visit_return": "",
        "target_visit_episode_length": "steps", "sas_loss": "nats", "sa_loss": "nats",
    }  # fmt: skip

    class Params(DARCParams):
        """How the target is met, the classifiers, optimization and collection."""

    def training_domain(self, experiment: Experiment) -> Domain:
        return experiment.source

    def setup(self, context: Any) -> None:
        # the policy's steps on the target are few, and one simulation takes them when they are due
        self._target = context.world(context.experiment.target, 1, self.params.physics_threads)
        super().setup(context)

    def learner(self, policy: Any, world: Any, plan: Experiment, say: Any) -> OffDynamicsSAC:
        return OffDynamicsSAC(
            policy, world, self.params, target=self._target, iterations=plan.budget.iterations, seed=plan.seed, say=say
        )

    def iterate(self) -> Iterator[Metrics]:
        yield from super().iterate()
        self._target.close()

    def delta_reward(self, observation: Any, action: Any, next_observation: Any) -> Any:
        """Return Δr of transitions, (n,) nats, by which the policy's path is colored."""
        return self._learner.gap.transition_score(observation, action, next_observation)

    def check(self, experiment: Experiment) -> list[Problem]:
        problems, steps = super().check(experiment), experiment.budget.iterations * self.params.samples
        if steps <= self.params.warm_up:
            message = (
                f"The warm-up of {self.params.warm_up} steps outlasts the training of {steps} steps, so Δr is never "
                f"added."
            )
            problems.append(Problem("strategy.params.warm_up", message, "Shorten it, or train longer."))
        return problems

    def _check_learner(self, experiment: Experiment) -> list[Problem]:
        return check_off_policy(self.params, self.settings_field, experiment.budget.iterations)
