"""The source policy: trained once by behavior cloning, kept by the content hash of everything that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio import paths
from studio.data.episodes import Episodes
from studio.experiment import Experiment, content_hash
from studio.files import file_hash
from studio.il.cloning import BehaviorCloning
from studio.nn.fingerprint import weights_hash
from studio.registry import Registry
from studio.run.datasets import model_hash
from studio.run.policies import bind, load_policy_folder, new_policy, save_policy
from studio.sim.domains import embodiment_of, task_of
from studio.sim.stand_in import stand_in_file

VERSION = 1  # raise it when training changes, so that cached source policies are made anew


def key(experiment: Experiment, registry: Registry) -> str:
    """Content hash of what decides the source policy."""
    source = experiment.source
    return content_hash(
        {
            "domain": source.made_of(),
            **({"stand_in": file_hash(stand_in_file(source.stand_in))} if source.stand_in else {}),
            "dataset": file_hash(source.dataset) if source.dataset else None,
            "model": model_hash(embodiment_of(source, registry).model),
            "policy": experiment.policy.model_dump(mode="json"),
            "pretraining": experiment.pretraining.model_dump(mode="json"),
            "version": VERSION,
            "task": task_of(source, registry).version,
        }
    )[:32]


def find(experiment: Experiment, registry: Registry) -> Path | None:
    """The folder of the source policy, shipped or cached; None where it is still to be trained.

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


class Pretraining:
    """Trains the source policy; resumable like a strategy."""

    def __init__(self, experiment: Experiment, registry: Registry, episodes: Episodes, device: str) -> None:
        self._experiment, self._registry = experiment, registry
        plan, source = experiment.pretraining, experiment.source
        policy = new_policy(experiment.policy, source.observation, registry, plan.seed)
        bind(policy, embodiment_of(source, registry), source, episodes, keep=False)
        self.policy: Any = policy.to(device)
        self.learner = BehaviorCloning(
            self.policy,
            episodes,
            list(self.policy.parameters()),
            iterations=plan.iterations,
            batch_size=plan.batch_size,
            learning_rate=plan.learning_rate,
            seed=plan.seed,
        )

    def state_dict(self) -> dict[str, Any]:
        return {"policy": self.policy.state_dict(), "learner": self.learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.policy.load_state_dict(state["policy"])
        self.learner.load_state_dict(state["learner"])

    def save(self) -> Path:
        """Writes the finished source policy into the cache; its hash is marked as the base of what descends from it."""
        folder = paths.cache_folder("policies") / key(self._experiment, self._registry)
        self.policy.fingerprint.mark(weights_hash(self.policy.state_dict()))
        save_policy(
            self.policy,
            folder,
            made_by=self._experiment.model_dump(mode="json", include={"source", "policy", "pretraining"}),
        )
        return folder
