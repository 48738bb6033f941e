"""A check whether a run can start from the policy that ``pretraining.checkpoint`` names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from studio.contracts import Problem
from studio.errors import StudioError
from studio.experiment import Domain, Experiment
from studio.registry import Registry
from studio.run.fit import misfit
from studio.store.checkpoint import policy_folder
from studio.store.policies import check_params

FIELD = "pretraining.checkpoint"


def check_checkpoint(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return why the policy does not fit the experiment: another kind, other parameters, another domain.

    Its weights are not read: an experiment is checked at every edit.
    """
    checkpoint = experiment.pretraining.checkpoint
    if checkpoint is None:
        return []
    try:
        folder = policy_folder(checkpoint)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except StudioError as error:
        return [Problem(FIELD, error.message, error.remedy)]
    except (OSError, ValueError):
        return [Problem(FIELD, f"There is no policy in {checkpoint}.", "Name a run, a checkpoint or a policy folder.")]
    problems = _other_network(config, experiment, registry)
    trained = _domain_of(folder)
    if not problems and trained is not None:
        found = misfit(config["policy"], trained, experiment.source, registry)
        problems += [] if found is None else [Problem(f"source.{found.field}", found.message, found.remedy)]
    return problems


def _other_network(config: dict[str, Any], experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return why the network is not the one that the experiment describes."""
    kept, observed = config["policy"], config["observation"]
    if kept != experiment.policy.id:
        words = f"The checkpoint holds a policy of the kind {kept}, not {experiment.policy.id}."
        return [Problem("policy.id", words, f"Choose {kept}.")]
    if observed != experiment.source.observation_kind:
        words = f"The checkpoint's policy observes {observed}, the source {experiment.source.observation_kind}."
        return [Problem("source.observation", words, f"Choose {observed}.")]
    kind = registry.get("policies", kept, "policy.id")
    wanted = check_params(kind, experiment.policy.params, "policy.params").model_dump(mode="json")
    has = check_params(kind, config["params"], "policy.params").model_dump(mode="json")
    for name, field in kind.Params.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and not extra.get("derived") and has[name] != wanted[name]:
            words = f"The checkpoint's policy has {name} {has[name]}, the experiment {wanted[name]}."
            return [Problem(f"policy.params.{name}", words, f"Set it to {has[name]}.")]
    return []


def _domain_of(folder: Path) -> Domain | None:
    """Return the domain that a run's policy was fitted to; None where the folder belongs to no run.

    The policies of a run and of its checkpoints are its target's; ``base/`` is its source's.
    """
    for run in (folder.parent, folder.parent.parent.parent):
        if (run / "experiment.yaml").is_file():
            plan = Experiment.load(run / "experiment.yaml")
            return plan.source if folder.name == "base" else plan.target
    return None
