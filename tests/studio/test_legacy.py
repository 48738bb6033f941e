"""What the program of format 1 left on disk opens, compares, exports, goes on, and is found again by its hash.

``tests/assets/legacy`` was written by the program before format 2: runs (some without the parts no test reads),
experiments, and ``hashes.json``: what it computed for them and for the shipped experiments.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from studio import paths
from studio.cli.main import main
from studio.experiment import Experiment, content_hash
from studio.registry import Registry
from studio.run import pretrain
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.matrix import run_all
from studio.run.session import Session
from studio.store.checkpoint import load_policy
from studio.store.log_reader import read_log
from studio.store.policies import load_policy_folder
from studio.store.resolve import resolved
from studio.store.runs import experiment_of, list_runs, read_run

LEGACY = Path(__file__).parents[1] / "assets" / "legacy"
HASHES = json.loads((LEGACY / "hashes.json").read_text(encoding="utf-8"))
FINISHED = ("darc-0", "from_scratch-0", "goals-0", "lora-0", "lora-1", "ppo-0")
WITH_POLICY = ("darc-0", "goals-0", "lora-0", "ppo-0")


@pytest.fixture
def old_runs(tmp_path: Path) -> Path:
    """A copy of the old runs: reading must not depend on writing beside them."""
    return Path(shutil.copytree(LEGACY / "runs", tmp_path / "runs"))


def experiment(name: str) -> Experiment:
    """A legacy or shipped experiment by its file's name."""
    own = LEGACY / "experiments" / f"{name}.yaml"
    return Experiment.load(own if own.exists() else paths.assets() / "experiments" / f"{name}.yaml")


def test_old_runs_are_listed(old_runs: Path) -> None:
    states = {run.folder.name: run.state for run in list_runs(old_runs)}
    assert states == {**dict.fromkeys(FINISHED, "finished"), "darc-stopped": "stopped"}
    assert all(len(read_log(run.folder).evaluations) for run in list_runs(old_runs) if run.state == "finished")


@pytest.mark.parametrize("name", HASHES)
def test_old_experiments_keep_their_hashes(name: str) -> None:
    registry, plan = Registry(), experiment(name)
    again = Experiment.from_yaml(plan.to_yaml())
    assert again == plan
    for read in (plan, again):
        found = {
            "experiment": read.content_hash(),
            "resolved": resolved(read, registry).content_hash(),
            "source_policy": pretrain.key(read, registry),
            "source_domain": content_hash(read.source.cache_key()),
            "target_domain": content_hash(read.target.cache_key()),
        }
        assert found == HASHES[name]


def test_shipped_source_policy_is_found() -> None:
    folder = pretrain.find(experiment("demo"), Registry())
    assert folder is not None and folder.parent == paths.assets() / "pretrained"


@pytest.mark.parametrize("name", ["every_old_setting", "own_goals"])
def test_old_settings_are_understood(name: str) -> None:
    problems = check(experiment(name), Registry())
    assert not [p for p in problems if p.field.startswith(("strategy", "policy"))]


@pytest.mark.parametrize("name", FINISHED)
def test_old_runs_are_found_again(old_runs: Path, name: str) -> None:
    """Nothing is run: a comparison takes the old run for the same experiment, whose defaults are left out here."""
    plan = experiment_of(read_run(old_runs / name))
    assert resolved(plan, Registry()).content_hash() == read_run(old_runs / name).experiment_hash

    def never(*_: object) -> Channels:
        raise AssertionError("it was run again")

    (run,) = run_all([plan], Registry(), old_runs, never, never, never)
    assert run.folder == old_runs / name


def test_old_runs_compare(old_runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(old_runs / name) for name in ("lora-0", "lora-1", "from_scratch-0")]
    assert main(["compare", *folders, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out.strip().splitlines()[-1])["rows"]
    seeds = {row["strategy"]: row["seeds"] for row in rows}
    assert seeds == {"lora": 2, "from_scratch": 1}


@pytest.mark.parametrize("name", WITH_POLICY)
def test_old_policies_load_and_act(name: str) -> None:
    policy = load_policy(LEGACY / "runs" / name)
    assert sum(parameter.numel() for parameter in policy.parameters()) > 0


@pytest.mark.parametrize("step", [2, 4, 6])
def test_old_checkpoints_load(step: int) -> None:
    assert load_policy(LEGACY / "runs" / "darc-0", step) is not None


def test_old_adapter_loads_on_its_base() -> None:
    import torch
    from peft import PeftModel

    run = LEGACY / "runs" / "lora-0"
    adapted = PeftModel.from_pretrained(load_policy_folder(run / "base"), str(run / "adapter")).merge_and_unload()
    whole = load_policy(run).state_dict()
    merged = adapted.state_dict()
    close = [torch.allclose(merged[name], whole[name], atol=1e-5) for name in whole if name in merged]
    assert len(close) > 10 and all(close)


def test_old_runs_export(old_runs: Path, tmp_path: Path) -> None:
    assert main(["export", str(old_runs / "lora-0"), "--to", str(tmp_path / "adapter")]) == 0
    assert {p.name for p in (tmp_path / "adapter").iterdir()} == {"adapter", "base", "experiment.yaml"}
    assert main(["export", str(old_runs / "lora-0"), "--merged", "--to", str(tmp_path / "merged")]) == 0
    load_policy_folder(tmp_path / "merged" / "policy")
    assert main(["export", str(old_runs / "darc-0"), "--to", str(tmp_path / "darc")]) == 0
    assert (tmp_path / "darc" / "policy" / "gap.safetensors").exists()


@pytest.mark.parametrize("place", ["lora-0", "lora-0/adapter", "lora-0/policy", "darc-stopped", "goals-0"])
def test_old_runs_are_inspected(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(LEGACY / "runs" / place), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_old_stopped_run_goes_on(old_runs: Path) -> None:
    session = Session.resume(old_runs / "darc-stopped", Registry(), Channels())
    session.run()
    run = read_run(session.folder)
    assert run.state == "finished" and np.isfinite(run.success)
