"""Checkpoints hold what differs from the run's base, and are whole again when they are read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from studio.errors import DataError
from studio.registry import shared_registry
from studio.store.base_weights import BaseWeights
from studio.store.checkpoint import list_checkpoints, load_policy, load_state, save_checkpoint, save_state
from studio.store.policies import load_policy_folder, save_policy
from tests import tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of LoRA with its checkpoints."""
    return tiny.run(tiny.experiment("lora"), tmp_path_factory.mktemp("runs"), shared_registry()).folder


def test_checkpoint_policy_leaves_out_what_the_base_has(run: Path) -> None:
    checkpoint = run / "checkpoints" / "adapt-00000010" / "policy"
    held, whole = tiny.tensors(checkpoint / "policy.safetensors"), tiny.tensors(run / "policy" / "policy.safetensors")
    assert 0 < len(held) < len(whole)
    base = tiny.tensors(run / "base" / "policy.safetensors")
    assert not [name for name, tensor in held.items() if torch.equal(tensor, base[name])]


def test_checkpoint_policy_is_whole_when_it_is_read(run: Path) -> None:
    found, wanted = load_policy(run, 10).state_dict(), load_policy(run).state_dict()
    assert all(found[name].numpy().tobytes() == wanted[name].numpy().tobytes() for name in wanted)


def test_checkpoint_state_leaves_out_what_the_base_has(run: Path) -> None:
    folder = run / "checkpoints" / "adapt-00000010"
    shared = json.loads((folder / "state.json").read_text())["$base"]["tensors"]
    assert len(shared) > 5 and not shared.keys() & tiny.tensors(folder / "state.safetensors").keys()
    policy = load_state(folder)["training"]["policy"]
    base = BaseWeights(run / "base")
    for path, name in shared.items():
        tensor = policy[path.rpartition("/")[2]] if path.startswith("/training/policy/") else None
        assert tensor is None or torch.equal(tensor, base.tensor(name))


def test_checkpoint_on_another_base_is_refused(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    policy = load_policy_folder(copy / "base")
    with torch.no_grad():
        next(policy.parameters()).add_(1.0)
    save_policy(policy, copy / "base")
    for read in (lambda: load_policy(copy, 10), lambda: load_state(copy / "checkpoints" / "adapt-00000010")):
        with pytest.raises(DataError, match="base folder holds others"):
            read()
    shutil.rmtree(copy / "base")
    with pytest.raises(DataError, match="The run's base policy cannot be read"):
        load_policy(copy, 10)
    assert load_policy(copy) is not None  # the result is whole


def test_base_weights_finds_equal_bits_alone(run: Path, tmp_path: Path) -> None:
    base = BaseWeights(run / "base")
    name, zeros = "spaces.action.mean", torch.zeros(16, 16)
    tensor = base.tensor(name)
    assert base.tensor(base.find(tensor)).equal(tensor) and base.has(name, tensor)
    assert not base.has(name, tensor.double()) and not base.has(name, tensor + 1) and not base.find(zeros.int())
    folder = tmp_path / "checkpoints" / "adapt-1"
    folder.mkdir(parents=True)
    shutil.copytree(run / "base", tmp_path / "base")
    state = {"same": tensor, "other": -tensor, "step": 3}
    save_state(folder, state, base)
    found = load_state(folder)
    assert found["step"] == 3 and all(torch.equal(found[key], state[key]) for key in ("same", "other"))


def test_old_checkpoint_without_a_policy_goes_altogether(tmp_path: Path) -> None:
    for step in range(1, 7):
        save_checkpoint(tmp_path, "pretrain", step, {"step": step})
    assert [step for _, step, _ in list_checkpoints(tmp_path)] == [3, 4, 5, 6]
