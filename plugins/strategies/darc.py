"""Off-dynamics reinforcement learning (DARC): training on the source with rewards corrected for the target's dynamics.

The reward is the source's plus Δr, which is low for transitions that are unlikely on the target (Eysenbach et al. 2021,
arXiv:2006.13916, algorithm 1). The policy learns what works in both domains. It never finds what only the target
allows, because all transitions that it learns from are the source's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from studio.contracts import Context, Metrics, Problem, Stateful
from studio.experiment import Domain, Experiment, Settings, setting
from studio.rl.algorithms.off_policy import Batch
from studio.rl.algorithms.sac import SAC, UNITS, SACParams
from studio.rl.collectors.env_runner import EnvRunner
from studio.rl.dynamics_gap import DIAGNOSTICS, DynamicsGap, GapLearner, GapParams
from studio.rl.learners import Log, check_off_policy
from studio.rl.networks.squashed import SquashedActorCritic
from studio.rl.replay import Replay
from studio.rl.strategy import TINY, ReinforcementStrategy
from studio.seeds import target_visit_seed
from studio.sim.world import World

GAP = "gap"  # the classifiers' name beside a policy
EARLIER_NAMES = {"seen_there": "target_replay", "there": "target_env"}  # in checkpoints of earlier versions

_POINT = {"embodiment": "point_mass", "task": "point_open", "control": "motor", "observation": "state"}


class VisitParams(Settings):
    """Visits to the target, and the weight of Δr."""

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
    """Visits to the target, the classifiers, optimization and collection."""


class OffDynamicsSAC(SAC):
    """SAC on the source with r + Δr, whose classifiers also learn from occasional steps on the target.

    Args:
        target: world in which one step is made for every ``source_steps`` on the source.
    """

    settings: DARCParams

    def __init__(
        self, policy: SquashedActorCritic, world: World, settings: DARCParams, *, target: World, seed: int, **more: Any
    ) -> None:
        super().__init__(policy, world, settings, seed=seed, **more)
        device, ignored = policy.device, policy.params.ignored
        self.target_env = EnvRunner(target, target_visit_seed(seed), device, ignored)
        visits = self.iterations * settings.samples // settings.source_steps + 2 * target.num_envs
        self.target_replay = Replay(min(settings.capacity, visits), target.num_envs, self.replay.widths, device)
        low, high = policy.low.cpu().numpy(), policy.high.cpu().numpy()
        self.gap = DynamicsGap(policy.params.inputs, low, high, settings, seed, device, ignored)
        self.classifiers = GapLearner(self.gap, settings, seed, settings.update == "compiled", self.log)
        policy.attach(GAP, self.gap)
        self._diagnostics: list[Tensor] = []  # of the classifiers, since the last iteration
        self._delta_rewards: list[Tensor] = []  # means of the batches since the last iteration

    def iterate(self) -> Iterator[Metrics]:
        for metrics in super().iterate():
            yield replace(metrics, values={**metrics.values, **self._gap_metrics()})

    def act(self) -> Any:
        step = super().act()
        while self.target_replay.time * self.target_replay.envs * self.settings.source_steps < self.samples:
            self.experience(self.target_env, self.target_replay)
        return step

    def learn(self, count: int) -> list[Tensor]:
        ratio, size = self.settings.classifier_ratio, self.settings.classifier_batch
        for _ in range(int((self.updates + count) * ratio) - int(self.updates * ratio)):
            source, target = (replay.sample(size, self.generator) for replay in (self.replay, self.target_replay))
            self._diagnostics.append(self.classifiers.step(source, target))
        return super().learn(count)

    def relabel(self, batch: Batch, times: Tensor, envs: Tensor) -> Batch:
        """Return a batch of the source with the rewards r + Δr, once the warm-up is over."""
        if self.samples <= self.settings.warm_up:
            return batch
        delta = self.gap.delta_reward(batch)
        self._delta_rewards.append(delta.mean())
        return {**batch, "rewards": batch["rewards"] + self.settings.delta_weight * delta[:, None]}

    def stateful(self) -> Mapping[str, Stateful]:
        target: dict[str, Stateful] = {"target_env": self.target_env, "target_replay": self.target_replay}
        return {**super().stateful(), "classifiers": self.classifiers, **target}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        super().load_state_dict({EARLIER_NAMES.get(name, name): part for name, part in state.items()})

    def _gap_metrics(self) -> dict[str, float]:
        values = {
            f"target_visit_{name}": value for name, value in self.target_env.metrics().items() if name != "diverged"
        }
        values["target_samples"] = float(self.target_replay.time * self.target_replay.envs)
        if self._diagnostics:
            values |= dict(zip(DIAGNOSTICS, torch.stack(self._diagnostics).mean(0).tolist(), strict=True))
        if self._delta_rewards:
            values["delta_reward"] = torch.stack(self._delta_rewards).mean().item()
        self._diagnostics, self._delta_rewards = [], []
        return values


class DARC(ReinforcementStrategy[SquashedActorCritic]):
    """SAC on the source, with its own randomization, and rewards corrected for the target's dynamics."""

    id = "darc"
    title = "DARC"
    summary = (
        "Reinforcement learning on the source with a reward correction that penalizes transitions unlikely under "
        "the target's dynamics."
    )
    reference = "Eysenbach et al. 2021 (arXiv:2006.13916)"
    tags = ("reinforcement", "off-dynamics")
    policies = (SquashedActorCritic.id,)
    discrete = False
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

    _learner: OffDynamicsSAC

    class Params(DARCParams):
        """Visits to the target, the classifiers, optimization and collection."""

    def training_domain(self, experiment: Experiment) -> Domain:
        return experiment.source

    def setup(self, context: Context[Any]) -> None:
        # the steps on the target are few, and a single simulation makes them as they become due
        self._target = context.world(context.experiment.target, 1, self.params.physics_threads)
        super().setup(context)

    def learner(self, policy: SquashedActorCritic, world: World, plan: Experiment, log: Log) -> OffDynamicsSAC:
        iterations, auxiliary = plan.budget.iterations, self.auxiliary(policy)
        return OffDynamicsSAC(
            policy, world, self.params, target=self._target, iterations=iterations, seed=plan.seed, log=log,
            auxiliary=auxiliary,
        )  # fmt: skip

    def iterate(self) -> Iterator[Metrics]:
        yield from super().iterate()
        self._target.close()

    def check(self, experiment: Experiment) -> list[Problem]:
        problems, steps = super().check(experiment), experiment.budget.iterations * self.params.samples
        if steps <= self.params.warm_up:
            message = (
                f"The warm-up of {self.params.warm_up} steps is longer than the training of {steps} steps, so Δr is "
                f"never added."
            )
            problems.append(Problem("strategy.params.warm_up", message, "Shorten the warm-up, or train longer."))
        return problems

    def _check_learner(self, experiment: Experiment) -> list[Problem]:
        return check_off_policy(self.params, self.settings_field, experiment.budget.iterations)
