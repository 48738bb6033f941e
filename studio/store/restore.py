"""Which checkpoint a run goes on from: the newest that can be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from studio.errors import DataError
from studio.store.checkpoint import DamagedCheckpoint, list_checkpoints, load_state, set_rng_state


def latest_state(
    run: Path, stage: str, say: Callable[[str], object] = lambda text: None
) -> tuple[int, dict[str, Any]] | None:
    """Return step and state of a stage's newest readable checkpoint, or None where there is none yet.

    Damaged ones are skipped, and logged. Raises DataError where there are no others, or the run's base is damaged.
    """
    damaged: list[str] = []
    for step, folder in _newest_first(run, stage):
        try:
            found = step, load_state(folder)
        except DamagedCheckpoint:
            damaged.append(folder.name)
            continue
        for name in damaged:
            say(f"The checkpoint {name} is damaged and was skipped.")
        return found
    if damaged:
        raise _all_damaged(run, stage, damaged)
    return None


def check_resumable(run: Path) -> None:
    """Raise DataError where all checkpoints that a run could go on from are damaged.

    To start at step 0 instead would overwrite the policies and scores that the run has.
    """
    stage = "adapt" if (run / "base" / "config.json").exists() or _newest_first(run, "adapt") else "pretrain"
    damaged = []
    for _, folder in _newest_first(run, stage):
        if _is_readable(folder):
            return
        damaged.append(folder.name)
    if damaged:
        raise _all_damaged(run, stage, damaged)


def restore(run: Path, stage: str, training: Any, say: Callable[[str], object]) -> tuple[int, dict[str, Any]] | None:
    """Restore a training and the random numbers from the stage's newest readable checkpoint.

    Return its step and state, or None where there is none yet. Raises DataError where it belongs to another training,
    or where all are damaged.
    """
    found = latest_state(run, stage, say)
    if found is None:
        say(f"There is no {stage} checkpoint to resume from; {stage} starts at step 0.")
        return None
    step, state = found
    try:
        training.load_state_dict(state["training"])
        set_rng_state(state["rng"])
    except torch.OutOfMemoryError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError):
        words = f"The checkpoint at step {step} does not belong to the training that experiment.yaml describes."
        remedy = "Restore experiment.yaml (log.h5 has its text), or start a new run."
        raise DataError(words, str(run), remedy) from None
    say(f"Resumed {stage} at step {step}.")
    return found


def _newest_first(run: Path, stage: str) -> list[tuple[int, Path]]:
    """Return step and folder of a stage's checkpoints that have a training state."""
    found = [(step, folder) for name, step, folder in list_checkpoints(run) if name == stage]
    return [(step, folder) for step, folder in reversed(found) if (folder / "state.json").exists()]


def _is_readable(folder: Path) -> bool:
    """Whether a state can be loaded, as far as its files tell without their tensors: a replay buffer is large."""
    try:
        json.loads((folder / "state.json").read_text(encoding="utf-8"))
        with safe_open(folder / "state.safetensors", "pt"):  # it compares its header with the file's length
            return True
    except (OSError, ValueError, SafetensorError):
        return False


def _all_damaged(run: Path, stage: str, names: Sequence[str]) -> DataError:
    words = f"The only checkpoint of the stage {stage}, {names[0]}, is damaged."
    if len(names) > 1:
        words = f"All checkpoints of the stage {stage} are damaged ({', '.join(names)})."
    remedy = "Restore it from a copy, or start a new run from the run's experiment.yaml. This run is left as it is."
    return DataError(words, str(run / "checkpoints"), remedy)
