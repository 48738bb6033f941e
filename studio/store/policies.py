"""Policies on disk: ``policy.safetensors``, ``config.json``, and a safetensors file for each of a policy's companions;
and making a policy from an experiment."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from studio.contracts import Companion, Policy
from studio.errors import DataError, ExperimentError
from studio.experiment import Selection, plain_validation
from studio.files import json_text, share_weights
from studio.nn.fingerprint import weights_hash
from studio.registry import Registry, shared_registry
from studio.store.base_weights import BaseWeights


def check_params(contribution: Any, params: dict[str, Any], field: str) -> Any:
    """Return the contribution's own settings, checked. Raises ExperimentError at the field that is wrong."""
    from pydantic import ValidationError

    try:
        return contribution.Params.model_validate(params)
    except ValidationError as error:
        raise plain_validation(error, contribution.Params, f"{field}.")[0] from None


def new_policy(selection: Selection, observation: str, registry: Registry, seed: int) -> Any:
    """Return a newly initialized policy; the same seed gives the same weights."""
    kind = registry.get("policies", selection.id, "policy.id")
    params = check_params(kind, selection.params, "policy.params")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return kind(params, observation)
        except ValueError as error:
            raise ExperimentError(
                f"The policy cannot be built ({error}).", "policy.params", "Change its size."
            ) from None


def fit_to_source(policy: Any, base: Path, registry: Registry) -> None:
    """Give an adapted policy the slots and statistics of its source policy; one without slots fits both as it is."""
    policy.take_spaces(load_policy_folder(base, registry))


def save_policy(policy: Any, folder: Path, base: BaseWeights | None = None, **about: Any) -> None:
    """Write a policy (no adapter layers in it) under a temporary name, then rename it.

    Args:
        base: of the run whose checkpoint this is; what the policy has from it unchanged is not written again.
        about: what else its config.json says.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        state = {name: t.detach().cpu().contiguous().clone() for name, t in policy.state_dict().items()}
        own = state if base is None else {name: t for name, t in state.items() if not base.has(name, t)}
        save_file(own, temporary / "policy.safetensors", metadata={"format": "pt"})
        config = {
            "policy": policy.id,
            "params": policy.params.model_dump(mode="json"),
            "observation": policy.observation,
            "weights_sha256": weights_hash(state),
            **about,
        }
        if base is not None:
            where = os.path.relpath(base.folder, folder)
            config["base"] = {"folder": where, "sha256": base.sha256, "tensors": sorted(state.keys() - own.keys())}
        if companions := _save_companions(policy, temporary):
            config["companions"] = companions
        policy.save_description(temporary)
        (temporary / "config.json").write_text(json_text(config, indent=2), encoding="utf-8")
        share_weights(temporary)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_policy_folder(folder: Path, registry: Registry | None = None) -> Any:
    """Read what :func:`save_policy` wrote, in evaluation mode. Raises DataError where it is missing or altered."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        state = load_file(folder / "policy.safetensors")
        if "base" in config:
            base = BaseWeights(folder / config["base"]["folder"])
            base.verify(config["base"]["sha256"])
            state |= {name: base.tensor(name) for name in config["base"]["tensors"]}
    except (OSError, ValueError, SafetensorError) as error:
        raise DataError(f"The policy cannot be read ({error}).", str(folder), "Choose a policy folder.") from None
    found = weights_hash(state)
    if found != config.get("weights_sha256"):
        raise DataError(
            f"The weights' hash is {found[:16]}…, the config says {str(config.get('weights_sha256'))[:16]}….",
            str(folder),
            "The files were changed; export them again.",
        )
    registry = registry or shared_registry()
    kind = registry.get("policies", config["policy"], str(folder))
    policy = kind.restored(check_params(kind, config["params"], "policy.params"), config["observation"], folder)
    policy.load_state_dict(state)
    for name, (about, digest) in _saved_companions(config).items():
        policy.attach(name, _load_companion(folder, name, about, digest, registry))
    policy.eval()
    return policy


def _save_companions(policy: Policy, folder: Path) -> dict[str, Any]:
    """Write each companion's tensors; return their entries in the config, by name."""
    described = {}
    for name, companion in policy.companions().items():
        weights = {key: t.cpu().contiguous().clone() for key, t in companion.state_dict().items()}
        save_file(weights, folder / f"{name}.safetensors")
        described[name] = {"about": companion.about(), "sha256": weights_hash(weights)}
    return described


def _saved_companions(config: dict[str, Any]) -> dict[str, tuple[dict[str, Any], str]]:
    """Return the companions that a config names, as (about, hash of the tensors)."""
    found = {name: (saved["about"], saved["sha256"]) for name, saved in config.get("companions", {}).items()}
    if "gap" in config:  # as it was written before there were companions of other kinds
        found["gap"] = (config["gap"], config.get("gap_sha256", ""))
    return found


def _load_companion(folder: Path, name: str, about: dict[str, Any], digest: str, registry: Registry) -> Companion:
    """Read one by the class that a strategy declares for its name. Raises DataError where it cannot be read."""
    file = folder / f"{name}.safetensors"
    kinds = (strategy.companions.get(name) for strategy in registry.all("strategies").values())
    kind: type[Companion] | None = next((kind for kind in kinds if kind is not None), None)
    if kind is None:
        raise DataError(
            f"No installed strategy can read the policy's companion '{name}'.",
            str(file),
            "Install the strategy that trained the policy.",
        )
    try:
        weights = load_file(file)
        if weights_hash(weights) != digest:
            raise ValueError("the file was changed")
        return kind.made(about, weights)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(
            f"The policy's companion '{name}' cannot be read ({reason}).", str(file), "Export the policy again."
        ) from None
