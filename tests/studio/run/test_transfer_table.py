"""The measures of transfer from runs that were scored while they trained."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from studio.errors import ExperimentError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.compare import matrix, run_all
from studio.run.runs import RunInfo
from studio.run.transfer_table import curve_of, format_transfer, transfer_table
from tests import tiny

PARAMS = {"simulations": 4, "steps": 16, "minibatch": 16, "epochs": 2, "update": "eager", "physics_threads": 1}
HOPPER = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}


def plan() -> Experiment:
    return Experiment.from_dict(
        {
            "name": "tiny", "source": HOPPER, "target": HOPPER, "policy": {"id": "gaussian_mlp"},
            "pretraining": {"iterations": 6, "params": PARAMS}, "strategy": {"id": "rl_fine_tuning", "params": PARAMS},
            "budget": {"iterations": 6, "checkpoint_every": 6},
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
        return run_all(
            matrix(plan()), Registry(), folder / "runs", lambda i, e: Channels(), lambda session: session.run()
        )


def test_the_source_policy_is_scored_before_it_learns(runs: list[RunInfo]) -> None:
    tuned = {run.seed: curve_of(run.folder) for run in runs if run.strategy == "rl_fine_tuning"}
    steps, scores = tuned[0]
    assert steps == (0, 2, 4, 6) and len(scores) == 4
    assert tuned[1][1][0] == scores[0] != scores[1]  # one source policy for both seeds


def test_one_row_for_what_was_carried_over(runs: list[RunInfo]) -> None:
    (row,) = transfer_table(runs)
    curves = {
        name: np.array([curve_of(run.folder)[1] for run in runs if run.strategy == name])
        for name in ("rl_fine_tuning", "rl_from_scratch")
    }
    assert row["strategy"] == "rl_fine_tuning" and row["seeds"] == 2
    starts = [curve[:, 0].mean() for curve in curves.values()]
    assert row["jumpstart"][0] == pytest.approx(starts[0] - starts[1])
    ends = [curve[:, -1].mean() for curve in curves.values()]
    assert row["asymptotic_gain"][0] == pytest.approx(ends[0] - ends[1])
    low = min(curve.mean(0).min() for curve in curves.values())
    assert row["threshold"] == pytest.approx(low + 0.75 * (ends[1] - low))
    text = format_transfer([row])
    assert "rl_fine_tuning" in text and f"{row['jumpstart'][0]:.3g}" in text and "/2" in text


def test_without_a_training_on_the_target_there_is_nothing_to_compare_with(runs: list[RunInfo]) -> None:
    assert transfer_table([run for run in runs if run.strategy == "rl_fine_tuning"]) == []
    assert transfer_table([run for run in runs if run.strategy == "rl_from_scratch"]) == []


def test_the_command_line_shows_it(runs: list[RunInfo]) -> None:
    folders: list[Any] = [run.folder for run in runs]
    told = tiny.call("compare", *folders)
    assert told.returncode == 0 and "Against training without transfer" in told.stdout, told.stderr
    data = json.loads(tiny.call("compare", *folders, "--json").stdout.splitlines()[-1])
    assert [row["strategy"] for row in data["transfer"]] == ["rl_fine_tuning"] and len(data["rows"]) == 2


def test_parameters_of_what_is_not_compared_are_refused() -> None:
    with pytest.raises(ExperimentError, match="rl_from_scrach") as caught:
        matrix(plan().changed(**{"comparison.params": {"rl_from_scrach": {}}}))
    assert caught.value.field == "comparison.params.rl_from_scrach"
    own = plan().changed(**{"comparison.params": {"rl_fine_tuning": {"steps": 1}}})  # its own stay where they are
    assert matrix(own)[0].strategy.params == PARAMS
