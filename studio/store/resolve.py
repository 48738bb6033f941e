"""An experiment with every parameter that was left out written out: it means the same when a default changes."""

from __future__ import annotations

from typing import Any

from studio.experiment import Experiment
from studio.experiment.hashing import complete
from studio.registry import Registry
from studio.rl.learners import algorithm_of
from studio.store.policies import check_params


def resolved(experiment: Experiment, registry: Registry) -> Experiment:
    """Return the experiment with all parameters of its strategy, its policy and the policy's own learner.

    Those that it leaves out get their present defaults (see :func:`studio.experiment.hashing.complete` for parameters
    that were added later). Runs keep this experiment, and content hashes compare it.

    Raises:
        ExperimentError: a contribution or one of its parameters does not exist, or a value is out of range.
    """
    strategy = registry.get("strategies", experiment.strategy.id, "strategy.id")
    policy = registry.get("policies", experiment.policy.id, "policy.id")
    parts: dict[str, tuple[Any, dict[str, Any]]] = {
        "strategy.params": (strategy, experiment.strategy.params),
        "policy.params": (policy, experiment.policy.params),
    }
    algorithm = algorithm_of(policy)
    if algorithm is not None and strategy.requires.source_policy:  # else nothing learns with these
        parts["pretraining.params"] = algorithm, experiment.pretraining.params
    whole = {field: complete(check_params(*part, field)) for field, part in parts.items()}
    return experiment.changed(**whole)
