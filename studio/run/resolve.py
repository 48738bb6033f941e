"""An experiment that means the same when a default changes: every parameter that was left out, written out."""

from __future__ import annotations

from typing import Any

from studio.experiment import Experiment
from studio.registry import Registry
from studio.rl.learners import algorithm_of
from studio.run.policies import check_params


def resolved(experiment: Experiment, registry: Registry) -> Experiment:
    """The experiment with the parameters of its strategy, its policy and the policy's own learner complete, those that
    it leaves out at their present defaults. Runs keep it, and it is what content hashes compare.

    Raises:
        ExperimentError: a contribution or one of its parameters does not exist, or a value is out of range.
    """
    strategy = registry.get("strategies", experiment.strategy.id, "strategy.id")
    policy = registry.get("policies", experiment.policy.id, "policy.id")
    of: dict[str, Any] = {"strategy.params": strategy, "policy.params": policy}
    algorithm = algorithm_of(policy)
    if algorithm is not None and strategy.needs_source:  # else nothing learns with these
        of["pretraining.params"] = algorithm
    given = {
        "strategy.params": experiment.strategy.params,
        "policy.params": experiment.policy.params,
        "pretraining.params": experiment.pretraining.params,
    }
    whole = {field: check_params(kind, given[field], field).model_dump(mode="json") for field, kind in of.items()}
    return experiment.changed(**whole)
