"""Hashes of the files that an experiment names: they may change while its text stays the same."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from studio.data.datasets import model_hash
from studio.errors import DataError
from studio.experiment import Experiment
from studio.files import file_hash
from studio.registry import Registry
from studio.sim.domains import embodiment_of
from studio.sim.hidden_dynamics import hidden_dynamics_file
from studio.store.checkpoint import policy_folder
from studio.store.policies import check_params


def input_hashes(experiment: Experiment, registry: Registry) -> dict[str, str]:
    """Return dotted field → content hash of each robot, dataset, stand-in, model and checkpoint that is a user's own.

    Raises:
        DataError: a file cannot be read.
        ExperimentError: an embodiment is neither registered nor a model file.
    """
    found, registered = {}, registry.all("embodiments")
    for role, domain in experiment.domains.items():
        if domain.embodiment not in registered:
            found[f"{role}.embodiment"] = model_hash(embodiment_of(domain, registry).model)
        files = {
            "dataset": domain.dataset,
            "stand_in": domain.hidden_dynamics and hidden_dynamics_file(domain.hidden_dynamics),
        }
        for field, path in files.items():
            if path is None:
                continue
            try:
                seen = path.stat()
                found[f"{role}.{field}"] = _hash(path.resolve(), seen.st_mtime_ns, seen.st_size)
            except OSError as error:
                words = f"The file cannot be read ({error.strerror})."
                raise DataError(words, str(path), "Check the path.") from None
    kind = registry.get("policies", experiment.policy.id, "policy.id")
    for path in kind.files(check_params(kind, experiment.policy.params, "policy.params")):
        found[f"policy.params.{path.name}"] = kept_hash(path)
    if experiment.pretraining.checkpoint is not None:
        config = policy_folder(experiment.pretraining.checkpoint) / "config.json"  # it holds the weights' hash
        try:
            seen = config.stat()
            found["pretraining.checkpoint"] = _hash(config.resolve(), seen.st_mtime_ns, seen.st_size)
        except OSError as error:
            words = f"The policy cannot be read ({error.strerror})."
            raise DataError(words, str(config.parent), "Check the path.") from None
    return found


def kept_hash(path: Path) -> str:
    """Return a file's hash, which is kept while its time and size stay. Raises OSError where it cannot be read."""
    seen = path.stat()
    return _hash(path.resolve(), seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=256)
def _hash(path: Path, _changed: int, _size: int) -> str:
    """Return a file's hash, cached while its time and size stay: a comparison asks for one dataset many times."""
    return file_hash(path)
