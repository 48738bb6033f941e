"""The measures of transfer from runs that were scored while they trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from studio.analysis.comparison import table
from studio.analysis.table_format import format_transfer
from studio.analysis.transfer_table import curve_of, transfer_table
from studio.cli.main import main
from studio.errors import ExperimentError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.matrix import matrix, run_all
from studio.store.runs import RunInfo
from tests import tiny

PARAMS = {"simulations": 4, "steps": 16, "minibatch": 16, "epochs": 2, "update": "eager", "physics_threads": 1}
HOPPER = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}


def plan() -> Experiment:
    return Experiment.from_dict(
        {
            "name": "tiny", "source": HOPPER, "target": HOPPER, "policy": {"id": "gaussian_mlp"},
            "pretraining": {"iterations": 6, "params": PARAMS}, "strategy": {"id": "rl_fine_tuning", "params": PARAMS},
            "budget": {"iterations": 6, "checkpoint_every": 6, "threads": 1},
            "evaluation": {"episodes": 3, "source_episodes": 0, "every": 2, "short_episodes": 2}, "device": "cpu",
            "comparison": {
                "strategies": ["rl_fine_tuning", "rl_from_scratch"], "seeds": [0, 1],
                "params": {"rl_from_scratch": PARAMS | {"train_on": "target"}},
            },
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunInfo]:
    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSFER_STUDIO_CACHE", str(folder / "cache"))
        registry = Registry()
        return run_all(
            matrix(plan(), registry), registry, folder / "runs", lambda i, e: Channels(), lambda session: session.run(),
            lambda session, error: pytest.fail(str(error)),
        )  # fmt: skip


def test_the_source_policy_is_scored_before_it_learns(runs: list[RunInfo]) -> None:
    tuned = {run.seed: curve_of(run.folder) for run in runs if run.strategy == "rl_fine_tuning"}
    steps, scores = tuned[0]
    assert steps == (0, 2, 4, 6) and len(scores) == 4
    assert tuned[1][1][0] == scores[0] != scores[1]  # one source policy for both seeds


def test_one_row_for_what_was_carried_over(runs: list[RunInfo]) -> None:
    (row,), left_out = transfer_table(runs)
    curves = {
        name: np.array([curve_of(run.folder)[1] for run in runs if run.strategy == name])
        for name in ("rl_fine_tuning", "rl_from_scratch")
    }
    assert row["strategy"] == "rl_fine_tuning" and row["seeds"] == 2 and not left_out
    starts = [curve[:, 0].mean() for curve in curves.values()]
    assert row["jumpstart"][0] == pytest.approx(starts[0] - starts[1])
    ends = [curve[:, -1].mean() for curve in curves.values()]
    assert row["asymptotic_gain"][0] == pytest.approx(ends[0] - ends[1])
    low = min(curve.mean(0).min() for curve in curves.values())
    assert row["threshold"] == pytest.approx(low + 0.75 * (ends[1] - low))
    text = format_transfer([row])
    assert "rl_fine_tuning" in text and f"{row['jumpstart'][0]:.3g}" in text and "/2" in text


def test_without_a_training_on_the_target_there_is_nothing_to_compare_with(runs: list[RunInfo]) -> None:
    assert transfer_table([run for run in runs if run.strategy == "rl_fine_tuning"]) == ([], [])
    assert transfer_table([run for run in runs if run.strategy == "rl_from_scratch"]) == ([], [])


@pytest.mark.parametrize("place", range(4))
def test_a_run_that_lacks_a_score_is_left_out_by_name_and_the_others_count(
    place: int, runs: list[RunInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever it is: the first seed's as well as a later one's, of the strategy and of the training without
    transfer."""
    lacking = runs[place]

    def curve(folder: Path) -> tuple[tuple[int, ...], list[float]]:
        steps, scores = curve_of(folder)
        return ((0, 4, 6), [scores[0], *scores[2:]]) if folder == lacking.folder else (steps, scores)

    monkeypatch.setattr("studio.analysis.transfer_table.curve_of", curve)
    (row,), (sentence,) = transfer_table(runs)
    assert (row["strategy"], row["seeds"]) == ("rl_fine_tuning", 2 - (lacking.strategy == "rl_fine_tuning"))
    assert sentence.startswith(f"{lacking.name} is left out: it has no score at step 2,")


def test_a_run_that_was_stopped_is_left_out_by_name(runs: list[RunInfo]) -> None:
    stopped = [replace(run, state="stopped") if run == runs[0] else run for run in runs]
    (row,), sentences = transfer_table(stopped)
    assert sentences == [f"{runs[0].name} is left out: it is stopped."] and row["seeds"] == 1


def test_both_tables_know_what_training_without_transfer_is(runs: list[RunInfo]) -> None:
    transfer = {row["strategy"]: row["transfer"] for row in table(runs)}
    assert transfer["rl_fine_tuning"] in ("positive", "negative", "unclear") and transfer["rl_from_scratch"] == ""
    assert {row["strategy"] for row in transfer_table(runs)[0]} == {"rl_fine_tuning"}


def test_the_command_line_shows_it(runs: list[RunInfo], capfd: pytest.CaptureFixture[str]) -> None:
    folders = [str(run.folder) for run in runs]
    assert main(["compare", *folders]) == 0
    printed = capfd.readouterr().out
    assert "Against training without transfer" in printed
    assert "return [95%]" in printed and "success" not in printed  # the hopper has none
    assert main(["compare", *folders, "--json"]) == 0
    data = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert [row["strategy"] for row in data["transfer"]] == ["rl_fine_tuning"] and data["left_out"] == []
    assert [row["measure"] for row in data["rows"]] == ["return", "return"]


def test_a_run_is_reported_by_its_tasks_measure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    changes = {"strategy.id": "rl_from_scratch", "budget.iterations": 1, "comparison": {}}
    assert main(["run", str(tiny.write(plan().changed(**changes), tmp_path)), "--out", str(tmp_path)]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("target at step 0: return ") and lines[1].startswith("target at step 1: return ")


def test_parameters_of_what_is_not_compared_are_refused() -> None:
    with pytest.raises(ExperimentError, match="rl_from_scrach") as caught:
        matrix(plan().changed(**{"comparison.params": {"rl_from_scrach": {}}}), Registry())
    assert caught.value.field == "comparison.params.rl_from_scrach"
    own = plan().changed(**{"comparison.params": {"rl_fine_tuning": {"steps": 1}}})  # its own stay where they are
    assert matrix(own, Registry())[0].strategy.params == PARAMS
