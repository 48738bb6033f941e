"""An experiment that means the same when a default changes: every parameter that was left out, written out."""

from __future__ import annotations

from typing import Any

from studio.experiment import Experiment
from studio.experiment.hashing import complete
from studio.registry import Registry
from studio.rl.learners import algorithm_of
from studio.store.policies import check_params


def resolved(experiment: Experiment, registry: Registry) -> Experiment:
    """The experiment with the parameters of its strategy, its policy and the policy's own learner complete, those that
    it leaves out at their present defaults (see :func:`studio.experiment.hashing.complete` for those that came later).
    Runs keep it, and it is what content hashes compare.

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
