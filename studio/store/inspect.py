"""Descriptions of what the studio can read: a dataset, run, checkpoint, policy, adapter, model or experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from studio.data.datasets import survey
from studio.errors import DataError
from studio.experiment import Domain, Experiment
from studio.store.checkpoint import list_checkpoints
from studio.store.log_reader import read_log
from studio.store.runs import experiment_of, read_run

MODELS = (".xml", ".mjcf", ".urdf")


def describe(path: Path) -> dict[str, Any]:
    """Return what is at a path. Raises DataError where the studio cannot read it."""
    if not path.exists():
        raise DataError("There is no such file or folder.", str(path), "Check the path.")
    if path.is_file():
        return _file(path)
    if (path / "run.json").exists():
        return _run(path)
    if (path / "adapter_config.json").exists():
        return _adapter(path)
    if (path / "state.json").exists():
        return {"kind": "checkpoint", "step": int(path.name.rpartition("-")[2]), **_weights(path / "state.safetensors")}
    # a checkpoint whose training state was dropped
    if path.parent.name == "checkpoints" and (path / "policy" / "policy.safetensors").exists():
        weights = _weights(path / "policy" / "policy.safetensors")
        return {"kind": "checkpoint", "step": int(path.name.rpartition("-")[2]), "resumable": False, **weights}
    if (path / "config.json").exists() and (path / "policy.safetensors").exists():
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        config.pop("made_by", None)
        return {"kind": "policy", **config, **_weights(path / "policy.safetensors")}
    raise DataError(
        "The folder is not a run, checkpoint, policy or adapter.",
        str(path),
        "Name one of these, or a dataset or model file.",
    )


def _file(path: Path) -> dict[str, Any]:
    if path.suffix.lower() in MODELS:
        return _model(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        return {"kind": "experiment", **Experiment.load(path).plain()}
    return survey(path).plain()


def _run(path: Path) -> dict[str, Any]:
    run, log = read_run(path), read_log(path)
    experiment = experiment_of(run)
    return {
        "kind": "run",
        "name": run.name,
        "state": run.state,
        "strategy": run.strategy,
        "policy": experiment.policy.id,
        **{name: _domain(domain) for name, domain in experiment.domains.items()},
        "episodes": run.episodes,
        "seed": run.seed,
        "seconds": run.seconds,
        "trainable_parameters": run.trainable_parameters,
        "measure": run.measure,
        "evaluations": log.evaluations,
        "metrics": {
            "/".join(key): {"steps": len(s.step), "last": float(s.value[-1])} for key, s in log.metrics.items()
        },
        "checkpoints": [f"{stage} {step}" for stage, step, _ in list_checkpoints(path)],
        "adapter": run.has_adapter,
    }


def _domain(domain: Domain) -> dict[str, Any]:
    about: dict[str, Any] = {"task": domain.task, "embodiment": domain.embodiment, "control": domain.control}
    about["randomized"] = [term.key for term in domain.randomization]
    return about | ({"contexts": domain.contexts} if domain.contexts else {})


def _adapter(path: Path) -> dict[str, Any]:
    try:
        config = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    except ValueError:
        raise DataError("adapter_config.json is damaged.", str(path), "Export the adapter again.") from None
    names = ("peft_type", "r", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save")
    return {
        "kind": "adapter",
        **{name: config.get(name) for name in names},
        **_weights(path / "adapter_model.safetensors"),
    }


def _weights(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            names = [*file.keys()]
            count = sum(int(_size(file.get_slice(name).get_shape())) for name in names)
            base = next((file.get_tensor(n) for n in names if n.endswith("fingerprint.base")), None)
    except (OSError, SafetensorError) as error:
        raise DataError(f"The weights cannot be read ({error}).", str(path), "Copy the folder again.") from None
    about: dict[str, Any] = {"tensors": len(names), "numbers": count}
    if base is not None and base.any():
        about["base_sha256"] = bytes(base.tolist()).hex()
    return about


def _size(shape: list[int]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def _model(path: Path) -> dict[str, Any]:
    from studio.sim.robots.open_model import open_model
    from studio.sim.scene import build

    embodiment = open_model(path)
    model = build(embodiment).model
    return {
        "kind": "model",
        "joints": [*embodiment.limbs[0].joints],
        "degrees_of_freedom": embodiment.dof,
        "moved_as": embodiment.kind,
        "bodies": model.nbody,
        "geoms": model.ngeom,
        "actuators": [model.actuator(i).name for i in range(model.nu)],
        "cameras": [*embodiment.cameras],
        "mass_kg": float(model.body_mass.sum()),
        "timestep_s": float(model.opt.timestep),
        "changes": [*embodiment.changes],
    }
