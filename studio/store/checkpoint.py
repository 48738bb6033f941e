"""Checkpoints: the complete state of a training as safetensors and JSON, written beside and renamed. Never pickled.

A state is a nest of dicts and lists of tensors, numbers, strings, booleans and None. Tensors go to
``state.safetensors`` under their path in the nest; the nest with placeholders goes to ``state.json``, where a number
that is not finite is written as text, as JSON has none.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from studio.errors import DataError
from studio.files import share_weights
from studio.registry import Registry
from studio.store.base_weights import BaseWeights

KEPT = 4  # newest checkpoints of a stage whose training state is kept, to resume from
TENSOR, FLOAT, BASE = "$tensor", "$float", "$base"


class DamagedCheckpoint(DataError):
    """The files of a checkpoint cannot be read."""


def save_state(folder: Path, state: dict[str, Any], base: BaseWeights | None = None) -> None:
    """Write a state into an existing folder; what ``base`` holds already, bit for bit, is only referred to."""
    tensors: dict[str, torch.Tensor] = {}
    skeleton = _strip(state, "", tensors)
    own = _separate(tensors)
    if base is not None:
        shared = {path: name for path, tensor in own.items() if (name := base.find(tensor))}
        skeleton[BASE] = {"sha256": base.sha256, "tensors": shared}
        own = {path: tensor for path, tensor in own.items() if path not in shared}
    save_file(own, folder / "state.safetensors")
    (folder / "state.json").write_text(json.dumps(skeleton, allow_nan=False), encoding="utf-8")
    share_weights(folder)


def load_state(folder: Path) -> dict[str, Any]:
    """Read what :func:`save_state` wrote.

    Raises:
        DamagedCheckpoint: it is missing or damaged.
        DataError: the run's base is.
    """
    try:
        skeleton = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "state.safetensors")
        if BASE in skeleton:
            base = BaseWeights(folder.parent.parent / "base")
            base.verify(skeleton[BASE]["sha256"])
            tensors |= {path: base.tensor(name) for path, name in skeleton[BASE]["tensors"].items()}
        restored: dict[str, Any] = _fill(skeleton, tensors)
        return restored
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        words = f"The checkpoint is damaged ({error})."
        raise DamagedCheckpoint(words, str(folder), "Resume from an earlier one.") from None


def save_checkpoint(
    run: Path,
    stage: str,
    step: int,
    state: dict[str, Any],
    policy: Callable[[Path], None] | None = None,
    base: BaseWeights | None = None,
) -> Path:
    """Write ``checkpoints/<stage>-<step>`` under a temporary name and rename it; drop the oldest beyond those kept.

    Args:
        policy: writes the acting policy into the folder it is given, so that a viewer can play this checkpoint.
        base: the run's own; its weights are not written again.
    """
    parent = run / "checkpoints"
    folder = parent / f"{stage}-{step:08d}"
    temporary = parent / f".{folder.name}.{os.getpid()}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        save_state(temporary, state, base)
        if policy is not None:
            policy(temporary / "policy")
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    drop_states(run, KEPT)
    return folder


def drop_states(run: Path, kept: int) -> None:
    """Delete the training states, replay buffers included, of all but the newest ``kept`` checkpoints of each stage.

    Their policies stay, so that they can be played; a checkpoint without one goes altogether.
    """
    found = list_checkpoints(run)
    for stage in {stage for stage, _, _ in found}:
        for folder in [path for s, _, path in found if s == stage][:-kept]:
            for name in ("state.safetensors", "state.json"):
                (folder / name).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


def list_checkpoints(run: Path) -> list[tuple[str, int, Path]]:
    """Return (stage, step, folder) of a run's checkpoints: source training first, each in order of steps."""
    found = []
    for folder in (run / "checkpoints").glob("*-*"):
        stage, _, step = folder.name.rpartition("-")
        if step.isdigit() and not folder.name.startswith("."):
            found.append((stage, int(step), folder))
    return sorted(found, key=lambda item: (item[0] != "pretrain", item[0], item[1]))


def rng_state() -> dict[str, torch.Tensor]:
    """Return the states of torch's random number generators, of the CPU and of the GPU where there is one."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_rng_state(state: dict[str, torch.Tensor]) -> None:
    """Restore what :func:`rng_state` returned."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def load_policy(folder: Path, step: int | None = None, registry: Registry | None = None) -> Any:
    """Return the policy of a run (its final one, or that of a checkpoint), of a checkpoint, or of a policy folder.

    ``registry`` knows the policy's class; None is this process's own. Raises DataError where there is no such policy.
    """
    from studio.store.policies import load_policy_folder

    return load_policy_folder(policy_folder(folder, step), registry)


def policy_folder(folder: Path, step: int | None = None) -> Path:
    """Return the policy folder of a run, a checkpoint, or a policy folder itself; see :func:`load_policy`."""
    folder = Path(folder)
    if (folder / "config.json").exists():
        return folder
    if (folder / "state.json").exists():
        return folder / "policy"
    if step is None and (folder / "policy" / "config.json").exists():
        return folder / "policy"
    found = [
        (at, path) for stage, at, path in list_checkpoints(folder) if stage == "adapt" and (step is None or at == step)
    ]
    if not found:
        wanted = "" if step is None else f" at step {step}"
        raise DataError(f"The run has no checkpoint{wanted}.", str(folder), "Choose another step or run.")
    return found[-1][1] / "policy"


def _separate(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors as safetensors writes them: on the CPU, contiguous, and none sharing another's memory.

    Those that are so already are not copied: a replay buffer fills most of the memory by itself.
    """
    found, taken = {}, set()
    for name, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        if own.untyped_storage().data_ptr() in taken or own.untyped_storage().nbytes() != own.nbytes:
            own = own.clone()
        taken.add(own.untyped_storage().data_ptr())
        found[name] = own
    return found


def _strip(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        tensors[path] = value
        return {TENSOR: path}
    if isinstance(value, dict):
        pairs = [[_key(k), _strip(v, f"{path}/{k}", tensors)] for k, v in value.items()]
        return {"$dict": pairs}
    if isinstance(value, list | tuple):
        kind = "$list" if isinstance(value, list) else "$tuple"
        return {kind: [_strip(v, f"{path}/{i}", tensors) for i, v in enumerate(value)]}
    if isinstance(value, float) and not math.isfinite(value):
        return {FLOAT: str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{path} is a {type(value).__name__}; a state holds tensors, numbers, strings, dicts and lists")


def _key(key: Any) -> Any:
    if not isinstance(key, str | int):
        raise TypeError(f"a state's keys are strings or integers, not {type(key).__name__}")
    return key


def _fill(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, dict):
        if TENSOR in value:
            return tensors[value[TENSOR]]
        if FLOAT in value:
            return float(value[FLOAT])
        if "$dict" in value:
            return {key: _fill(item, tensors) for key, item in value["$dict"]}
        if "$list" in value:
            return [_fill(item, tensors) for item in value["$list"]]
        return tuple(_fill(item, tensors) for item in value["$tuple"])
    return value
