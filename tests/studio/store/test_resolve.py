"""An experiment that a run keeps means the same when a default changes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from studio import paths
from studio.errors import ExperimentError
from studio.experiment import Experiment
from studio.experiment.hashing import RUNS
from studio.experiment.settings import mark
from studio.registry import Registry
from studio.rl import learners
from studio.rl.algorithms.ppo_params import PPOParams
from studio.run import matrix, pretrain
from studio.store.resolve import resolved
from studio.store.runs import read_run
from tests import tiny

SHIPPED = sorted((paths.assets() / "experiments").glob("*.yaml"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_everything_is_written_out_once_and_can_be_read_back(file: Path) -> None:
    registry, given = Registry(), Experiment.load(file)
    whole = resolved(given, registry)
    assert Experiment.from_yaml(whole.to_yaml()) == resolved(whole, registry) == whole
    kind = registry.get("strategies", given.strategy.id, "")
    later = {name for name, field in kind.Params.model_fields.items() if mark(field, "since", 0) > RUNS}
    assert set(whole.strategy.params) - later == set(kind.Params.model_fields) - later
    assert set(whole.strategy.params) & later == set(given.strategy.params) & later
    assert given.strategy.params.items() <= whole.strategy.params.items()
    assert pretrain.key(given, registry) == pretrain.key(whole, registry)


def test_only_what_is_used_is_looked_at() -> None:
    scratch = {"strategy": {"id": "rl_from_scratch"}, "policy": {"id": "gaussian_mlp"}}
    plan = Experiment().changed(**scratch, **{"pretraining.params": {"steps": -1}})
    assert resolved(plan, Registry()).pretraining == plan.pretraining
    with pytest.raises(ExperimentError, match="out of range") as failed:
        resolved(plan.changed(strategy={"id": "rl_fine_tuning"}), Registry())
    assert failed.value.field == "pretraining.params.steps"


def test_a_source_policy_of_another_default_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Experiment.load(paths.assets() / "experiments" / "cheetah_backward.yaml")
    assert "steps" not in plan.pretraining.params
    before = pretrain.key(plan, Registry())

    class Longer(PPOParams):
        steps: int = 2 * PPOParams().steps

    changed = dataclasses.replace(learners.ALGORITHMS["ppo"], Params=Longer)
    monkeypatch.setitem(learners.ALGORITHMS, "ppo", changed)
    assert pretrain.key(plan, Registry()) != before


def test_a_run_keeps_every_parameter_and_is_taken_for_what_leaves_them_out(tmp_path: Path) -> None:
    plan = tiny.experiment("lora")
    folder = tiny.run(plan, tmp_path).folder
    kept = Experiment.load(folder / "experiment.yaml")
    assert kept == resolved(plan, Registry()) and "rank" not in plan.strategy.params
    assert kept.strategy.params["rank"] == Registry().get("strategies", "lora", "").Params().rank

    def none(*_: Any) -> Any:
        raise AssertionError("it was run already")

    written = plan.changed(**{"strategy.params.rank": kept.strategy.params["rank"]})
    for same in (plan, written, kept):
        found = matrix.run_all([same], Registry(), tmp_path, none, none, none)
        assert [run.folder for run in found] == [read_run(folder).folder]
