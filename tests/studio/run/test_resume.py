"""Resume: after kill -9 the result is the uninterrupted run's, bit for bit."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.cli.main import main
from studio.errors import DataError
from studio.events import Logged
from studio.registry import Registry
from studio.run import matrix
from studio.run.channels import Channels
from studio.run.session import Session
from studio.store.checkpoint import list_checkpoints, load_state, save_state
from studio.store.runs import read_run
from tests import tiny


def resumed(folder: Path) -> list[str]:
    """Resume in this process; return the lines it logged."""
    session = Session.resume(folder, Registry(), Channels())
    published = tiny.listen(session)
    session.run()
    assert read_run(folder).state == "finished"
    return [e.text for e in published() if isinstance(e, Logged)]


def killed(
    runs: Path, tmp_path: Path, stage: str, step: int, strategy: str = "full_finetuning", **environment: str
) -> Path:
    plan = tiny.write(tiny.experiment(strategy), tmp_path)
    tiny.kill(tiny.held(stage, step, "run", plan, "--out", runs, **environment))
    folder = tiny.only_run(runs)
    assert read_run(folder).state == "interrupted"
    assert not (folder / "policy").exists()
    return folder


def assert_same(run: Path, wanted: Path) -> None:
    files = ["policy/policy.safetensors"]
    if (wanted / "adapter").exists():
        files.append("adapter/adapter_model.safetensors")
    for file in files:
        tiny.assert_same(run, wanted, file)
    scores = [read_run(folder) for folder in (run, wanted)]
    assert scores[0].success == scores[1].success


def test_killed_in_mid_adaptation_and_resumed_by_command(finished: dict[str, Path], runs: Path, tmp_path: Path) -> None:
    folder = killed(runs, tmp_path, "adapt", 8, "lora")
    assert [step for stage, step, _ in list_checkpoints(folder) if stage == "adapt"] == [3, 6]
    done = tiny.call("resume", folder)
    assert done.returncode == 0, done.stderr
    assert "Resumed adapt at step 6." in done.stderr
    assert_same(folder, finished["lora"])
    assert not list(folder.rglob("*.tmp"))


def test_killed_during_pretraining(finished: dict[str, Path], runs: Path, tmp_path: Path, monkeypatch: Any) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("TRANSFER_STUDIO_CACHE", str(cache))
    folder = killed(runs, tmp_path, "pretrain", 5, TRANSFER_STUDIO_CACHE=str(cache))
    assert [step for stage, step, _ in list_checkpoints(folder)] == [3]
    assert not list((cache / "policies").iterdir())
    assert "Resumed pretrain at step 3." in resumed(folder)
    assert_same(folder, finished["full_finetuning"])
    tiny.assert_same(folder, finished["full_finetuning"], "base/policy.safetensors")


def test_killed_before_the_first_checkpoint(finished: dict[str, Path], runs: Path, tmp_path: Path) -> None:
    folder = killed(runs, tmp_path, "adapt", 2, "lora")
    assert not list_checkpoints(folder)
    resumed(folder)
    assert_same(folder, finished["lora"])


def with_state(run: Path) -> list[str]:
    return [path.name for _, _, path in list_checkpoints(run) if (path / "state.json").exists()]


def test_a_finished_run_keeps_every_policy_and_the_last_state_of_each_stage(finished: dict[str, Path]) -> None:
    found = [path for _, _, path in list_checkpoints(finished["lora"])]
    assert [path.name for path in found if path.name.startswith("adapt")] == [f"adapt-{s:08d}" for s in (3, 6, 9, 10)]
    assert all((path / "policy" / "config.json").exists() for path in found if path.name.startswith("adapt"))
    assert [name for name in with_state(finished["lora"]) if name.startswith("adapt")] == ["adapt-00000010"]


@pytest.fixture(scope="module")
def failed(finished: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that failed when all its training was done."""
    runs = tmp_path_factory.mktemp("failed")

    def fails(*given: Any) -> None:
        raise DataError("The evaluation failed.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("studio.run.scoring.score_target", fails)
        with pytest.raises(DataError, match="evaluation failed"):
            tiny.run(tiny.experiment("lora"), runs)
    return tiny.only_run(runs)


@pytest.mark.parametrize("damage", ["truncated", "gone", "not json"])
def test_a_corrupted_newest_checkpoint_falls_back_to_the_one_before(
    damage: str, finished: dict[str, Path], failed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(failed, folder)
    assert with_state(folder)[-4:] == [f"adapt-{step:08d}" for step in (3, 6, 9, 10)]
    newest = folder / "checkpoints" / "adapt-00000010"
    if damage == "truncated":
        (newest / "state.safetensors").write_bytes((newest / "state.safetensors").read_bytes()[:-100])
    elif damage == "gone":
        (newest / "state.safetensors").unlink()
    else:
        (newest / "state.json").write_text("{")
    logged = resumed(folder)
    assert "Resumed adapt at step 9." in logged
    assert "The checkpoint adapt-00000010 is damaged and was skipped." in logged
    assert_same(folder, finished["lora"])


def test_a_run_with_damaged_checkpoints_alone_is_refused_and_left_as_it_is(
    failed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs" / "run"
    shutil.copytree(failed, folder)
    for state in (folder / "checkpoints").glob("adapt-*/state.safetensors"):
        state.write_bytes(state.read_bytes()[:-100])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["resume", str(folder)]) == 2
    said = capfd.readouterr().err
    assert "All checkpoints of the stage adapt are damaged (adapt-00000010, adapt-00000009" in said
    assert str(folder / "checkpoints") in said and "Restore it from a copy, or start a new run" in said
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    status = json.loads((folder / "run.json").read_text()) | {"state": "stopped"}
    (folder / "run.json").write_text(json.dumps(status))
    (planned,) = matrix.plan([tiny.experiment("lora")], Registry(), folder.parent)
    assert planned.run is None  # a comparison makes a new run of it


def test_a_checkpoint_of_another_experiment_is_one_sentence(failed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(failed, folder)
    text = (folder / "experiment.yaml").read_text()
    assert text.count("rank: 16") == 1
    (folder / "experiment.yaml").write_text(text.replace("rank: 16", "rank: 4"))
    with pytest.raises(DataError, match="step 10 does not belong to the training that") as caught:
        resumed(folder)
    assert "log.h5" in caught.value.remedy


@pytest.mark.parametrize("text", ["[]", "{}", "{", '{"state": 3}'])
def test_a_damaged_run_json_is_one_sentence(text: str, failed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(failed, folder)
    (folder / "run.json").write_text(text)
    with pytest.raises(DataError, match="is damaged"):
        Session.resume(folder, Registry(), Channels())
    with pytest.raises(DataError, match="is damaged"):
        read_run(folder)


def test_weights_may_be_read_by_whom_their_folders_other_files_may(finished: dict[str, Path]) -> None:
    weights = [*finished["lora"].rglob("*.safetensors")]
    assert len(weights) > 5
    for path in weights:
        beside = [p for p in path.parent.iterdir() if p.suffix in (".json", ".md") and p.name != "adapter_config.json"]
        assert beside and all(path.stat().st_mode == p.stat().st_mode for p in beside), path


def test_what_cannot_be_resumed(finished: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="finished"):
        Session.resume(finished["lora"], Registry(), Channels())
    with pytest.raises(DataError, match="no run"):
        Session.resume(tmp_path, Registry(), Channels())


def test_a_run_that_goes_on_cannot_be_resumed(runs: Path, tmp_path: Path) -> None:
    process = tiny.held("adapt", 4, "run", tiny.write(tiny.experiment(), tmp_path), "--out", runs)
    try:
        with pytest.raises(DataError, match="still active"):
            Session.resume(tiny.only_run(runs), Registry(), Channels())
    finally:
        tiny.kill(process)


def test_state_of_any_nesting_round_trips(tmp_path: Path) -> None:
    state = {
        "a": torch.arange(6.0).reshape(2, 3),
        "nested": {0: {"step": torch.tensor(3), "flag": True}, "none": None},
        "list": [1, 2.5, "x", torch.zeros(0)],
        "best": [-math.inf, math.nan],
        "tuple": (0.9, 0.999),
        "shared": {"weight/with/slashes": torch.ones(1, dtype=torch.bfloat16)},
    }
    save_state(tmp_path, state)
    found = load_state(tmp_path)
    assert found["best"][0] == -math.inf and math.isnan(found["best"][1])
    text = (tmp_path / "state.json").read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert found["nested"][0]["flag"] is True and found["nested"]["none"] is None
    assert torch.equal(found["a"], state["a"])
    assert found["tuple"] == (0.9, 0.999) and found["list"][:3] == [1, 2.5, "x"]
    assert found["shared"]["weight/with/slashes"].dtype == torch.bfloat16
    with pytest.raises(TypeError, match="state holds"):
        save_state(tmp_path, {"a": {"b": object()}})
