"""Taking results away: PEFT loads the adapter, a wrong base is refused, nothing is overwritten."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel

from studio.errors import DataError
from studio.nn.fingerprint import weights_hash
from studio.registry import Registry
from studio.store.export import export_run
from studio.store.policies import load_policy_folder, new_policy, save_policy
from tests import tiny

# A process of its own; only the base is loaded by the studio, the adapter by PEFT alone.
LOAD = """
import sys
from pathlib import Path
import numpy as np
from peft import PeftModel
from studio.store.policies import load_policy_folder

folder, seen, out = map(Path, sys.argv[1:])
base = load_policy_folder(folder / "base")
policy = PeftModel.from_pretrained(base, folder / "adapter").eval()
actions, _ = policy.base_model.model.act(dict(np.load(seen)))
np.save(out, actions)
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 255, (16, 32, 32, 3), dtype=np.uint8),
        "joint_pos": rng.normal(size=(16, 6)).astype(np.float32),
        "eef_pos": rng.normal(0.4, 0.1, (16, 3)).astype(np.float32),
    }


def act(policy: Any, seen: dict[str, np.ndarray]) -> np.ndarray:
    actions: np.ndarray = policy.act(seen)[0]
    return actions


def test_peft_alone_gives_the_runs_actions(
    finished: dict[str, Path], seen: dict[str, np.ndarray], tmp_path: Path
) -> None:
    run = finished["lora"]
    np.savez(tmp_path / "seen.npz", **seen)
    subprocess.run(
        [sys.executable, "-c", LOAD, run, tmp_path / "seen.npz", tmp_path / "out.npy"],
        check=True, env=tiny.environment(), timeout=120,
    )  # fmt: skip
    found, wanted = np.load(tmp_path / "out.npy"), act(load_policy_folder(run / "policy"), seen)
    assert np.abs(found - wanted).max() <= 1e-5
    base = act_on_target_of_base(run, seen)
    assert np.abs(found - base).max() > 1e-3, "the adapter makes a difference"


def act_on_target_of_base(run: Path, seen: dict[str, np.ndarray]) -> np.ndarray:
    """The base's actions, with the target's slots and statistics but none of what was trained."""
    base, tuned = load_policy_folder(run / "base"), load_policy_folder(run / "policy")
    base.spaces.load_state_dict(tuned.spaces.state_dict())
    return act(base, seen)


def test_the_merged_policy_is_the_unmerged_one(finished: dict[str, Path], seen: dict[str, np.ndarray]) -> None:
    run = finished["lora"]
    adapted = PeftModel.from_pretrained(load_policy_folder(run / "base"), run / "adapter").eval()
    unmerged = act(adapted.base_model.model, seen)
    merged = act(adapted.merge_and_unload(), seen)
    final = act(load_policy_folder(run / "policy"), seen)
    assert np.abs(unmerged - merged).max() <= 1e-5
    np.testing.assert_allclose(merged, final, atol=1e-6)


def test_a_wrong_base_is_refused_with_both_hashes(finished: dict[str, Path], tmp_path: Path) -> None:
    run = finished["lora"]
    right = load_policy_folder(run / "base")
    other = load_policy_folder(run / "base")
    with torch.no_grad():
        other.norm.bias.add_(1e-3)
    other.fingerprint.base.zero_()
    other.fingerprint.mark(weights_hash(other.state_dict()))
    save_policy(other, tmp_path / "other")
    with pytest.raises(DataError) as caught:
        PeftModel.from_pretrained(load_policy_folder(tmp_path / "other"), run / "adapter")
    assert right.fingerprint.hash in caught.value.message
    assert other.fingerprint.hash in caught.value.message
    assert right.fingerprint.hash != other.fingerprint.hash


def test_a_base_that_was_altered_in_place_is_refused(finished: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "base"
    save_policy(load_policy_folder(finished["lora"] / "base"), folder)
    weights = folder / "policy.safetensors"
    whole = bytearray(weights.read_bytes())
    whole[-1] ^= 1
    weights.write_bytes(whole)
    with pytest.raises(DataError, match="hash"):
        load_policy_folder(folder)


def test_the_adapter_is_in_pefts_layout(finished: dict[str, Path]) -> None:
    folder = finished["lora"] / "adapter"
    assert {p.name for p in folder.iterdir()} >= {"adapter_config.json", "adapter_model.safetensors", "README.md"}
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 16, 32)
    base = load_policy_folder(finished["lora"] / "base").fingerprint.hash
    assert len(base) == 64 and base in (folder / "README.md").read_text()
    assert all(not (run / "adapter").exists() for name, run in finished.items() if name != "lora")


def test_export_gives_the_adapter_with_its_base(
    finished: dict[str, Path], seen: dict[str, np.ndarray], tmp_path: Path
) -> None:
    to = export_run(finished["lora"], tmp_path / "out")
    assert {p.name for p in to.iterdir()} == {"adapter", "base", "experiment.yaml"}
    adapted = PeftModel.from_pretrained(load_policy_folder(to / "base"), to / "adapter").eval()
    final = act(load_policy_folder(finished["lora"] / "policy"), seen)
    np.testing.assert_allclose(act(adapted.base_model.model, seen), final, atol=1e-5)


def test_export_merged_and_of_a_strategy_without_adapter(finished: dict[str, Path], tmp_path: Path) -> None:
    for name, merged in (("lora", True), ("full_finetuning", False)):
        to = export_run(finished[name], tmp_path / name, merged)
        assert {p.name for p in to.iterdir()} == {"policy", "experiment.yaml"}
        load_policy_folder(to / "policy")


def test_export_into_an_empty_folder_and_never_into_a_full_one(finished: dict[str, Path], tmp_path: Path) -> None:
    empty, full, file = tmp_path / "empty", tmp_path / "full", tmp_path / "file"
    empty.mkdir()
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    file.write_text("keep")
    export_run(finished["lora"], empty)
    assert (empty / "adapter").is_dir()
    for taken in (full, file):
        with pytest.raises(DataError, match="not empty"):
            export_run(finished["lora"], taken)
    assert [p.name for p in full.iterdir()] == ["mine.txt"] and file.read_text() == "keep"
    with pytest.raises(DataError, match="cannot be written"):
        export_run(finished["lora"], file / "below")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file", "full"]


def test_export_of_damaged_weights_is_refused(finished: dict[str, Path], tmp_path: Path) -> None:
    run = shutil.copytree(finished["full_finetuning"], tmp_path / "run")
    (weights,) = (run / "policy").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(DataError, match="weights are damaged"):
        export_run(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_of_what_is_no_finished_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no run in this folder"):
        export_run(tmp_path / "nowhere", tmp_path / "out")
    tiny.write(tiny.experiment(), tmp_path).rename(tmp_path / "experiment.yaml")
    with pytest.raises(DataError, match="no result"):
        export_run(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_policy_folder_round_trips(tmp_path: Path, seen: dict[str, np.ndarray], finished: dict[str, Path]) -> None:
    policy = load_policy_folder(finished["from_scratch"] / "policy")
    save_policy(policy, tmp_path / "again", note="x")
    again = load_policy_folder(tmp_path / "again")
    np.testing.assert_array_equal(act(policy, seen), act(again, seen))
    assert json.loads((tmp_path / "again" / "config.json").read_text())["note"] == "x"
    assert [p.name for p in tmp_path.iterdir()] == ["again"]


def test_new_policies_come_from_the_seed_and_leave_the_generator_alone(experiment: Any) -> None:
    state = torch.get_rng_state()
    first, same, other = (new_policy(experiment.policy, "image", Registry(), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert weights_hash(first.state_dict()) == weights_hash(same.state_dict()) != weights_hash(other.state_dict())
