"""The table of a comparison: what counts as one configuration, and what its rows say."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import pytest

from studio.analysis.comparison import table
from studio.analysis.table_format import format_conditions, format_table
from studio.analysis.transfer_table import transfer_table
from studio.cli.main import main
from studio.files import json_text
from studio.store.runs import read_run
from tests import tiny


def finished(folder: Path, success: float, strategy: str = "lora", state: str = "finished", **changes: Any) -> Path:
    """A run folder as a session leaves it, as far as tables read it."""
    run = folder / f"run-{len([*folder.iterdir()])}"
    run.mkdir()
    plan = tiny.experiment(strategy, **{"evaluation.episodes": 100, "target.episodes": 5} | changes)
    (run / "experiment.yaml").write_text(plan.to_yaml())
    summary = {"success": success, "low": success - 0.1, "high": success + 0.1, "peak_memory_mb": 1, "seconds": 1}
    created = time.time() + len([*folder.iterdir()])
    (run / "run.json").write_text(json_text({"state": state, "created": created, "summary": summary}))
    return run


def ranks(folder: Path) -> list[Path]:
    params = [{"rank": 4}, {"rank": 8}, {}]
    return [finished(folder, 0.2 * i, **{"strategy.params": given}) for i, given in enumerate(params)]


def test_runs_of_other_settings_are_no_seeds(runs: Path) -> None:
    rows = table(ranks(runs))
    assert [(row["seeds"], row["success"]) for row in rows] == [(1, 0.0), (1, 0.2), (1, 0.4)]
    assert [row["settings"] for row in rows] == [{"rank": 4}, {"rank": 8}, {"rank": "default"}]
    for style in ("table", "md"):
        text = format_table(rows, style)
        assert all(label in text for label in ("lora: rank=4", "lora: rank=8", "lora: rank=default"))
    cells = [row["settings"] for row in csv.DictReader(format_table(rows, "csv").splitlines())]
    assert cells == ["rank=4", "rank=8", "rank=default"]


def test_scores_under_conditions_stand_beside_the_score(runs: Path) -> None:
    for seed, (score, blank) in enumerate(((0.8, 0.1), (0.6, 0.3))):
        run = finished(runs, score, seed=seed, **{"evaluation.conditions": ["blank"]})
        status = json.loads((run / "run.json").read_text())
        status["summary"]["conditions"] = {"blank": blank} | ({"moved": 0.5} if seed else {})
        (run / "run.json").write_text(json_text(status))
    (row,) = table([*runs.iterdir()])
    found = row["conditions"]
    assert found.keys() == {"blank"}  # the other one is not of every seed
    assert found["blank"]["success"] == pytest.approx(0.2)
    assert found["blank"]["low"] < 0.2 < found["blank"]["high"] < row["low"]
    lines = format_conditions([row]).splitlines()
    assert [line.split()[2] for line in lines[1:]] == ["–", "blank"] and "0.200 [" in lines[2]
    assert format_conditions([row | {"conditions": {}}]) == ""


def test_settings_outside_the_strategy_keep_their_dotted_names(runs: Path) -> None:
    wider = [tiny.VARIED[0] | {"low": 0.7}, *tiny.VARIED[1:]]
    one, other = (
        finished(runs, 0.1),
        finished(runs, 0.2, **{"budget.iterations": 20, "target.randomization": wider}),
    )
    settings = [row["settings"] for row in table([one, other])]
    assert settings[0] == {"target.randomization.0.low": 0.5, "budget.iterations": 10}
    assert settings[1] == {"target.randomization.0.low": 0.7, "budget.iterations": 20}


def test_seeds_of_one_configuration_are_one_row_whatever_changes_no_result(runs: Path) -> None:
    nothing = {"name": "other", "description": "b", "budget.threads": 2, "budget.checkpoint_every": 9, "device": "auto"}
    made = [finished(runs, 0.2), finished(runs, 0.4, seed=1, **nothing), finished(runs, 0.6, seed=2)]
    (row,) = table(made)
    assert (row["seeds"], row["settings"]) == (3, {}) and row["success"] == pytest.approx(0.4)
    assert format_table([row], "table").splitlines()[-1].split()[:3] == ["lora", "5", "3"]


def test_of_two_runs_of_one_seed_the_newer_counts_and_the_other_is_named(
    runs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    older, other, newer = finished(runs, 0.2), finished(runs, 0.4, seed=1), finished(runs, 0.6)
    later = finished(runs, 0.0, state="failed")  # newest of all, and nothing to count
    (row,) = table([newer, older, other, older, later])
    assert row["seeds"] == 2 and row["success"] == pytest.approx(0.5)
    capfd.readouterr()
    assert main(["compare", *map(str, (older, other, newer)), "--json"]) == 0
    out, err = capfd.readouterr()
    sentence = f"{older.name} is left out: {newer.name} is newer, of the same settings and seed."
    assert json.loads(out)["left_out"] == [sentence] and sentence in err


def test_a_row_is_held_against_training_without_transfer_on_its_own_target(runs: Path) -> None:
    easy, hard = {"target.randomization": []}, {}
    made = [finished(runs, 0.9, "from_scratch", **easy), finished(runs, 0.1, "from_scratch", **hard)]
    made += [finished(runs, 0.5, **easy), finished(runs, 0.5, **hard)]
    said = [(row["strategy"], row["transfer"]) for row in table(made)]
    assert said == [("from_scratch", ""), ("from_scratch", ""), ("lora", "negative"), ("lora", "positive")]


def test_of_several_trainings_without_transfer_the_one_of_the_same_budget_is_meant(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = {"budget.iterations": 99}
    made = [finished(runs, 0.9, "from_scratch"), finished(runs, 0.1, "from_scratch", **longer)]
    made += [finished(runs, 0.5), finished(runs, 0.5, **longer), finished(runs, 0.5, **{"budget.iterations": 50})]
    rows = table(made)
    assert [row["transfer"] for row in rows[2:]] == ["negative", "positive", ""]  # the last has none of its own

    def curve(folder: Path) -> tuple[tuple[int, ...], list[float]]:
        return (0, 5, 10), [0.0, 0.1, read_run(folder).success]

    monkeypatch.setattr("studio.analysis.transfer_table.curve_of", curve)
    transfer, (sentence,) = transfer_table(map(read_run, made))
    assert [row["settings"]["budget.iterations"] for row in transfer] == [10, 99]
    assert sentence.startswith("lora: budget.iterations=50 is left out: 2 trainings without transfer")


def test_a_training_without_transfer_is_found_whatever_the_others_were_pretrained_with(runs: Path) -> None:
    wide, longer = {"policy.params": tiny.POLICY | {"width": 32}}, {"pretraining.iterations": 9}
    made = [finished(runs, 0.9, "from_scratch"), finished(runs, 0.1, "from_scratch", **wide)]
    made += [finished(runs, 0.5, **longer), finished(runs, 0.5, **longer, **wide)]
    assert [row["transfer"] for row in table(made)[2:]] == ["negative", "positive"]


def test_rows_say_what_is_not_the_same_in_all_of_them(runs: Path) -> None:
    arm = finished(runs, 0.5)
    assert not {"target", "measure", "samples"} & set(format_table(table([arm]), "table").splitlines()[0].split())
    runner = finished(runs, 250.0, "epopt", **{"target.embodiment": "hopper", "target.task": "hopper"})
    status = json.loads((runner / "run.json").read_text())
    status["summary"] |= {"measure": "return", "samples": 40960}
    (runner / "run.json").write_text(json.dumps(status))
    header, _, *lines = format_table(table([arm, runner]), "table").splitlines()
    assert header.split()[-3:] == ["target", "measure", "samples"]
    by_strategy = {line.split()[0]: line for line in lines}
    assert by_strategy["epopt"].split()[-5:] == ["hopper", "on", "hopper", "return", "40,960"]
    assert by_strategy["lora"].split()[-5:] == ["reach", "on", "ur5_6dof", "success", "–"]


def test_a_label_names_the_first_settings_and_counts_the_others(runs: Path) -> None:
    """As where a run that kept every parameter stands beside one that left them out."""
    whole = {"rank": 8, "alpha": 16.0, "dropout": 0.0, "learning_rate": 0.002, "weight_decay": 0.0001}
    whole |= {"augment_images": False, "target_modules": ["q_proj", "v_proj"]}
    rows = table([finished(runs, 0.5, **{"strategy.params": given}) for given in (whole, {})])
    first = format_table(rows, "table").splitlines()[2]
    assert "rank=8" in first and "more" in first and len(rows[0]["settings"]) > 6


def test_what_says_what_to_run_is_refused_where_nothing_is(runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = str(finished(runs, 0.5))
    for option in (("--seeds", "0"), ("--strategies", "lora"), ("--set", "seed=1"), ("--device", "cpu")):
        assert main(["compare", run, *option, "--json"]) == 2
        error = json.loads(capfd.readouterr().out)
        assert error["field"] == option[0] and "only existing runs" in error["error"]


def test_a_folder_among_runs_that_is_none_is_left_out_by_name(
    runs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert main(["compare", str(finished(runs, 0.5)), str(finished(runs, 0.5, seed=1)), str(other), "--json"]) == 1
    out, err = capfd.readouterr()
    sentence = "other is left out: The folder is not a run (it has no run.json)."
    assert sentence in err
    assert len(json.loads(out)["rows"]) == 1 and sentence in json.loads(out)["left_out"]
