"""What a session gives a strategy: policies, demonstrations, worlds, device, progress and log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.contracts import EmbodimentSpec, Episodes, ResolvedDomain, TaskSplit
from studio.data.datasets import demonstrations
from studio.data.recording_checks import check_recording
from studio.experiment import Domain, Experiment
from studio.meta.task_split import split
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.store.policies import load_policy_folder, new_policy

if TYPE_CHECKING:
    from studio.sim.episode_recorder import EpisodeRecorder
    from studio.sim.world import World
    from studio.viewer.training_tap import TrainingTap


@dataclass
class SessionContext:
    """The context of a running session; see :class:`studio.contracts.Context`.

    Args:
        base: folder of the source policy; None where the strategy requires none.
        target_data: whether policies are bound to the target's demonstrations.
        on_progress: called with (done, total); it may raise to stop.
        on_log: called with a sentence for the run's log.
        tap: shows the training's worlds to watchers.
    """

    experiment: Experiment
    registry: Registry
    device: str
    sources: Sequence[ResolvedDomain]
    target: ResolvedDomain
    base: Path | None
    target_data: bool
    on_progress: Callable[[int, int], None]
    on_log: Callable[[str], None]
    tap: TrainingTap | None = None
    recorders: list[EpisodeRecorder] = field(default_factory=list)  # of the worlds that were made
    _demonstrations: dict[tuple[str, int], Episodes] = field(default_factory=dict)

    @property
    def tasks(self) -> TaskSplit:
        """Return contexts of the source's family to meta-train on, and held-out ones."""
        return split(self.sources[0], self.experiment.evaluation.seed)

    def demonstrations(self, domain: ResolvedDomain, seed: int | None = None) -> Episodes:
        """Return a domain's episodes, made or read once.

        Args:
            seed: of the scripted expert's; None: as ``Experiment.demonstration_seeds`` has it.
        """
        if seed is None:
            seed = self._seed(domain.domain)
        key = (domain.domain.model_dump_json(), seed)
        if key not in self._demonstrations:
            found = demonstrations(domain, seed, self.on_progress, self.on_log)
            self._demonstrations[key] = found
            for result in check_recording(found, domain) if domain.domain.dataset is not None else ():
                if result.state != "ok":
                    self.on_log(f"{domain.domain.dataset}: {result.message} {result.remedy}")
        return self._demonstrations[key]

    def _seed(self, domain: Domain) -> int:
        """Return the seed of a domain's demonstrations; one that is no source or target counts as the first source."""
        plan = self.experiment
        names = [name for name, known in plan.domains.items() if known == domain]
        return plan.demonstration_seeds[names[0] if names else "source"]

    def policy(self, pretrained: bool) -> Any:
        """Return a new copy of the source policy, or a newly initialized one; see the contract."""
        plan = self.experiment
        if pretrained:
            assert self.base is not None, "the strategy says that it requires no source policy"
            policy = load_policy_folder(self.base, self.registry)
        else:
            policy = new_policy(plan.policy, plan.target.observation_kind, self.registry, plan.seed)
        policy = policy.to(self.device)
        if self.target_data:
            policy.bind([EmbodimentSpec.of(self.target, self.demonstrations(self.target))], keep=pretrained)
        return policy

    def world(self, domain: Domain | ResolvedDomain, num_envs: int, threads: int = 0) -> World:
        """Return simulations of a domain: its curriculum is at work, and where something varies the episodes are
        logged."""
        from studio.sim.episode_recorder import EpisodeRecorder
        from studio.sim.tasks.contexts import logged
        from studio.sim.world import World

        found = domain if isinstance(domain, ResolvedDomain) else resolve(domain, self.registry)
        world = World(found.domain, found.new_task(), found.embodiment, num_envs, threads, curriculum=True)
        keys = logged(found.domain, found.task)
        if keys:
            recorder = EpisodeRecorder(num_envs, keys)
            world.observers.append(recorder)
            self.recorders.append(recorder)
        if self.tap is not None:
            self.tap.enter(world)
        return world

    def progress(self, done: int, total: int) -> None:
        """Report how much of a long piece of work is done; may raise to stop."""
        self.on_progress(done, total)

    def log(self, sentence: str) -> None:
        """Write a sentence into the run's log."""
        self.on_log(sentence)
