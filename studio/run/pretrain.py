"""The source policy: trained once, cached by the content hash of everything it depends on.

The kind of policy says how: by behavior cloning on all sources, or by reinforcement learning in the first one's world.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from studio import paths
from studio.contracts import EmbodimentSpec, Episodes
from studio.data.batches import BatchSampler
from studio.data.datasets import READER_VERSION, demonstrations, model_hash
from studio.experiment import Domain, Experiment, content_hash
from studio.files import file_hash
from studio.il.cloning import BehaviorCloning
from studio.il.mixture import bind_sources, source_datasets
from studio.nn.fingerprint import weights_hash
from studio.registry import Registry
from studio.rl.learners import Learner, algorithm_of
from studio.sim.domains import embodiment_of, resolve, task_of
from studio.sim.hidden_dynamics import hidden_dynamics_file
from studio.store.checkpoint import load_policy
from studio.store.input_hashes import kept_hash
from studio.store.policies import check_params, load_policy_folder, new_policy, save_policy
from studio.store.resolve import resolved

VERSION = 1  # raise it when training changes, so that cached source policies are trained again


def key(experiment: Experiment, registry: Registry) -> str:
    """Return the content hash of everything that the source policy depends on."""
    experiment = resolved(experiment, registry)
    first, *others = experiment.sources
    if algorithm_of(registry.get("policies", experiment.policy.id, "policy.id")) is not None:
        others = []  # a policy learns by reinforcement in the first source alone
    return content_hash(
        {
            **_domain_key(first, registry),
            **({"others": [_domain_key(source, registry) for source in others]} if others else {}),
            **_own_scenes(experiment, len(others)),
            "policy": experiment.policy.model_dump(mode="json"),
            **_policy_files(experiment, registry),
            "pretraining": experiment.pretraining.cache_key(),
            "version": VERSION,
            **_reinforcement_key(experiment, registry),
        }
    )[:32]


def _own_scenes(experiment: Experiment, others: int) -> dict[str, Any]:
    """Return the seeds of further sources that don't have pretraining's; nothing where all have it."""
    seeds = [experiment.demonstration_seeds[f"sources.{place}"] for place in range(1, others + 1)]
    return {"seeds": seeds} if {*seeds} - {experiment.pretraining.seed} else {}


def _domain_key(source: Domain, registry: Registry) -> dict[str, Any]:
    """Return what the policy depends on of one source."""
    return {
        "domain": source.cache_key(),
        **({"stand_in": file_hash(hidden_dynamics_file(source.hidden_dynamics))} if source.hidden_dynamics else {}),
        "dataset": file_hash(source.dataset) if source.dataset else None,
        **({"reader": READER_VERSION} if source.dataset else {}),
        "model": model_hash(embodiment_of(source, registry).model),
        "task": task_of(source, registry).version,
    }


def _policy_files(experiment: Experiment, registry: Registry) -> dict[str, Any]:
    """Return the hashes of a user's own files that the policy is made from; nothing where there are none."""
    kind = registry.get("policies", experiment.policy.id, "policy.id")
    files = kind.files(check_params(kind, experiment.policy.params, "policy.params"))
    return {"policy_files": [kept_hash(file) for file in files]} if files else {}


def _reinforcement_key(experiment: Experiment, registry: Registry) -> dict[str, Any]:
    """Return what a policy trained by reinforcement depends on besides; nothing for a cloned one."""
    kind = registry.get("policies", experiment.policy.id, "policy.id")
    if algorithm_of(kind) is None:
        return {}
    curriculum = experiment.source.curriculum
    followed = {"curriculum": curriculum.model_dump(mode="json")} if curriculum.enabled else {}
    return {"algorithm": kind.algorithm, **followed}


def find(experiment: Experiment, registry: Registry) -> Path | None:
    """Return the folder of the source policy, shipped or cached; None where it is still to be trained.

    Its weights are checked against their hash; a damaged cached one counts as absent.
    """
    name = key(experiment, registry)
    for parent in (paths.assets() / "pretrained", paths.cache() / "policies"):
        folder = parent / name
        if (folder / "config.json").exists():
            try:
                load_policy_folder(folder, registry)
            except Exception:
                continue
            return folder
    return None


def existing(experiment: Experiment, registry: Registry) -> Any:
    """Return the policy that ``pretraining.checkpoint`` names, its weights marked as the base of what descends from it.

    Raises:
        DataError: there is no policy, or it is damaged.
    """
    assert experiment.pretraining.checkpoint is not None
    policy = load_policy(experiment.pretraining.checkpoint, registry=registry)
    policy.fingerprint.mark(weights_hash(policy.state_dict()))
    return policy


class Pretraining(Protocol):
    """Trains the source policy; resumable like a strategy."""

    policy: Any

    @property
    def settings_field(self) -> str: ...

    @property
    def learner(self) -> Learner: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def pretraining(
    experiment: Experiment,
    registry: Registry,
    device: str,
    tick: Callable[[int, int], None],
    say: Callable[[str], None],
) -> Pretraining:
    """Return what trains the source policy; for cloning the demonstrations are collected first, counted by ``tick``."""
    if algorithm_of(registry.get("policies", experiment.policy.id, "policy.id")) is not None:
        return PretrainingByReinforcement(experiment, registry, device, say)
    seeds = experiment.demonstration_seeds
    episodes = [
        demonstrations(resolve(domain, registry), seeds[name], tick, say)
        for name, domain in experiment.domains.items()
        if name != "target"
    ]
    return PretrainingByCloning(experiment, registry, episodes, device)


class PretrainingByCloning:
    """Behavior cloning of the sources' demonstrations, each of which has the same share of every batch."""

    settings_field = "pretraining"

    def __init__(self, experiment: Experiment, registry: Registry, episodes: Sequence[Episodes], device: str) -> None:
        plan = experiment.pretraining
        policy = new_policy(experiment.policy, experiment.source.observation_kind, registry, plan.seed)
        domains = [resolve(source, registry) for source in experiment.sources]
        bind_sources(policy, [EmbodimentSpec.of(*pair) for pair in zip(domains, episodes, strict=True)])
        self.policy: Any = policy.to(device)
        self.learner = BehaviorCloning(
            self.policy,
            BatchSampler(self.policy, source_datasets(episodes), plan.batch_size, plan.seed),
            list(self.policy.parameters()),
            iterations=plan.iterations,
            learning_rate=plan.learning_rate,
            loss_unit=policy.loss_unit,
        )

    def state_dict(self) -> dict[str, Any]:
        return {"policy": self.policy.state_dict(), "learner": self.learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.policy.load_state_dict(state["policy"])
        self.learner.load_state_dict(state["learner"])


class PretrainingByReinforcement:
    """Reinforcement learning in the source's world, randomization and curriculum included.

    The learner's state holds the policy's.
    """

    settings_field = "pretraining.params"

    def __init__(self, experiment: Experiment, registry: Registry, device: str, say: Callable[[str], None]) -> None:
        from studio.sim.world import World

        plan, source = experiment.pretraining, experiment.source
        policy = new_policy(experiment.policy, source.observation_kind, registry, plan.seed)
        algorithm = algorithm_of(policy)
        assert algorithm is not None
        settings: Any = check_params(algorithm, plan.params, "pretraining.params")
        task, embodiment = task_of(source, registry), embodiment_of(source, registry)
        world = World(source, task, embodiment, settings.simulations, settings.physics_threads, curriculum=True)
        policy.fit_to(world, plan.seed)
        self.policy: Any = policy.to(device)
        self.world = world
        self.learner = algorithm.make(self.policy, world, settings, iterations=plan.iterations, seed=plan.seed, log=say)

    def state_dict(self) -> dict[str, Any]:
        return self.learner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state)


def save(policy: Any, experiment: Experiment, registry: Registry) -> Path:
    """Write a finished source policy into the cache; its hash is marked as the base of what descends from it."""
    folder = paths.cache_folder("policies") / key(experiment, registry)
    policy.fingerprint.mark(weights_hash(policy.state_dict()))
    made_by = {name: part for name, part in experiment.plain().items() if name in ("source", "policy", "pretraining")}
    save_policy(policy, folder, made_by=made_by)
    return folder
