"""The loop of all learners that train on rollouts: collect, learn, report."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Generic, TypeVar

from torch import Tensor

from studio.contracts import Metrics
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.auxiliary import AuxiliaryLosses
from studio.rl.collectors.episode_statistics import diverged_sentence
from studio.rl.collectors.rollouts import ActorCritic, Collector, Rollout

R = TypeVar("R", bound=Rollout)


class OnPolicyLearner(ABC, Generic[R]):
    """Trains a policy on one rollout after the other, of the kind that its collector returns; see
    :mod:`studio.rl.algorithms.ppo` and :mod:`studio.rl.algorithms.pixel_ppo`."""

    units: ClassVar[Mapping[str, str]]
    diagnostics: ClassVar[tuple[str, ...]]  # names of what :meth:`learn` returns
    settings: PPOParams
    rollouts: Collector[ActorCritic, R]
    iteration: int
    iterations: int
    log: Callable[[str], None]
    auxiliary: AuxiliaryLosses | None

    @abstractmethod
    def prepare(self, share: float) -> Callable[..., Tensor]:
        """Set the learning rates to a share of their initial values; return the gradient step of this iteration."""

    @abstractmethod
    def learn(self, rollout: R, step: Callable[..., Tensor]) -> Tensor:
        """Train for the epochs of a rollout; return the mean diagnostics."""

    @property
    @abstractmethod
    def learning_rate(self) -> float:
        """Return the present learning rate."""

    def collect(self) -> R:
        """Return the rollout that an iteration learns from."""
        return self.rollouts.collect()

    def iterate(self) -> Iterator[Metrics]:
        """Collect, learn, and yield the metrics of each iteration until the budget is spent."""
        while self.iteration < self.iterations:
            progress = self.iteration / self.iterations
            step = self.prepare(1 - progress if self.settings.anneal else 1.0)
            if self.auxiliary is not None:
                self.auxiliary.progress = progress
            started = time.perf_counter()
            world, before, samples = self.rollouts.world, self.rollouts.world.diverged, self.rollouts.samples
            rollout = self.collect()
            if world.diverged > before:
                self.log(diverged_sentence(world.diverged - before))
            diagnostics = self.learn(rollout, step)
            self.iteration += 1
            values = self._metrics(rollout, diagnostics)
            values["steps_per_second"] = (self.rollouts.samples - samples) / (time.perf_counter() - started)
            yield Metrics(self.iteration, self.iterations, values)

    def _metrics(self, rollout: Rollout, diagnostics: Tensor) -> dict[str, float]:
        values = dict(zip(self.diagnostics, diagnostics.tolist(), strict=True))
        values |= self.rollouts.statistics.metrics()
        error = (rollout.returns - rollout.values).var() / (rollout.returns.var() + 1e-8)
        values |= {"explained_variance": 1 - error.item(), "samples": float(self.rollouts.samples)}
        values |= {} if self.auxiliary is None else self.auxiliary.metrics()
        world = self.rollouts.world
        values |= {"learning_rate": self.learning_rate, "diverged": float(world.diverged)}
        return values if world.curriculum is None else values | world.curriculum.metrics()
