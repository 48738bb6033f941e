"""What a session gives a strategy: policies, demonstrations, device, seed, budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.contracts import Embodiment, Episodes
from studio.experiment import Domain, Experiment
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.store.policies import bind, load_policy_folder, new_policy

if TYPE_CHECKING:
    from studio.sim.episode_recorder import EpisodeRecorder
    from studio.sim.world import World
    from studio.viewer.training_tap import TrainingTap


@dataclass
class Context:
    """Everything prepared for a strategy's ``setup``."""

    experiment: Experiment
    registry: Registry
    device: str
    embodiment: Embodiment  # the target's
    episodes: Episodes | None  # the target's demonstrations; None where the strategy needs none
    base: Path | None  # folder of the source policy; None where the strategy needs none
    tick: Callable[[int, int], None] = lambda made, wanted: (
        None
    )  # for long work: (done, of how many); may raise to stop
    say: Callable[[str], None] = lambda text: None  # a sentence for the run's log

    watched: TrainingTap | None = None  # watches the worlds that are made
    recorders: list[EpisodeRecorder] = field(default_factory=list)  # of the worlds that were made

    def world(self, domain: Domain, num_envs: int, threads: int = 0) -> World:
        """Simulations of a domain, to train in: its curriculum is at work, and where something varies the episodes are
        logged. The strategy closes them."""
        from studio.sim.episode_recorder import EpisodeRecorder
        from studio.sim.tasks.contexts import logged
        from studio.sim.world import World

        task, embodiment = task_of(domain, self.registry), embodiment_of(domain, self.registry)
        world = World(domain, task, embodiment, num_envs, threads, curriculum=True)
        keys = logged(domain, task)
        if keys:
            recorder = EpisodeRecorder(num_envs, keys)
            world.observers.append(recorder)
            self.recorders.append(recorder)
        if self.watched is not None:
            self.watched.enter(world)
        return world

    def source_policy(self) -> Any:
        """A fresh copy of the pretrained source policy; its weights' hash marked as base.

        Where there are demonstrations it is fitted to the target's slots: end-effector statistics stay the source's,
        joint statistics become the target's (see ``TokenTransformer.bind``).
        """
        assert self.base is not None, "the strategy says that it needs no source"
        policy = load_policy_folder(self.base, self.registry)
        if self.episodes is not None:
            self._bind(policy, keep=True)
        return policy.to(self.device)

    def fresh_policy(self) -> Any:
        """A newly initialized policy, fitted to the target's slots and statistics."""
        policy = self.empty_policy()
        self._bind(policy, keep=False)
        return policy

    def empty_policy(self) -> Any:
        """A newly initialized policy that knows neither slots nor statistics yet; see :meth:`bind`."""
        plan = self.experiment
        return new_policy(plan.policy, plan.target.observation, self.registry, plan.seed).to(self.device)

    def bind(self, policy: Any, episodes: Episodes) -> None:
        """Fits an empty policy to the target's slots and to the statistics of episodes."""
        bind(policy, self.embodiment, self.experiment.target, episodes, keep=False)

    def _bind(self, policy: Any, keep: bool) -> None:
        assert self.episodes is not None, "the strategy says that it needs no demonstrations"
        bind(policy, self.embodiment, self.experiment.target, self.episodes, keep=keep)
