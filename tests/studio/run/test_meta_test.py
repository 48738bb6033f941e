"""Meta-test of a run: scores after shots, the episodes behind them, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from studio.cli.main import main
from studio.errors import DataError, ExperimentError
from studio.experiment import Experiment
from studio.meta.trials import run_trials
from studio.registry import Registry, shared_registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.evaluate_run import leaves_out_shots
from studio.run.meta_test import EPISODES, MetaTest
from studio.run.session import Session

GOAL = (0.3, -0.7)  # outside the range of training


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RL² on point navigation, after one iteration."""
    registry = shared_registry()
    example = registry.get("strategies", "rl2", "").examples()["example"]
    short = {"budget.iterations": 1, "evaluation.episodes": 1, "evaluation.shots": [0]}
    return Session(example.changed(**short), registry, Channels(), tmp_path_factory.mktemp("runs")).run()


def test_meta_test_records_an_episode_after_each_number_of_shots(run: Path) -> None:
    test = MetaTest(run, shared_registry())
    (found,) = test.adapt(GOAL, [1, 0], repeats=1)
    assert [one.shots for one in found.after] == [0, 1]
    assert test.shots == (0, 1)  # no more than its trial of two episodes was trained for
    assert not found.is_inside
    assert test.target.task.is_inside((0.3, -0.4))
    for one in found.after:
        path, rewards = one.trajectory.path[:, :2], one.trajectory.rewards
        assert one.score.episodes == EPISODES
        assert len(path) == len(rewards) + 1 == test.target.task.horizon + 1
        assert rewards == pytest.approx(-np.linalg.norm(path[1:] - GOAL, axis=1), abs=1e-6)
        assert one.trajectory.mocap[:, 0, :2] == pytest.approx(np.tile(GOAL, (len(path), 1)))


def test_meta_test_plays_the_trials_of_the_restored_policy(run: Path) -> None:
    from studio.store.checkpoint import load_policy

    test = MetaTest(run, shared_registry())
    (found,) = test.adapt(GOAL, [1], repeats=1)
    domain = test.target.changed(test.target.domain.changed(contexts=[list(GOAL)]))
    seed = 10_000  # of the evaluation
    outcomes, _ = run_trials(load_policy(run).exploring(seed), domain, 2, range(seed, seed + EPISODES))
    assert found.after[0].score.outcome.returns == pytest.approx(outcomes[1].returns)


def test_meta_test_of_examples_shows_the_answers_that_are_scored(tmp_path: Path) -> None:
    registry = shared_registry()
    example = registry.get("strategies", "maml", "").examples()["example"]
    short = {"budget.iterations": 1, "evaluation.episodes": 1, "evaluation.shots": [0, 5, 10, 20]}
    run = Session(example.changed(**short), registry, Channels(), tmp_path).run()
    test, (amplitude, phase) = MetaTest(run, registry), (2.0, 1.0)
    assert test.target.task.id == "sinusoid" and test.shots == (0, 5, 10, 20)
    for found in test.adapt((amplitude, phase), [0, 5], repeats=2):
        for one in found.after:
            x, y = 10 * one.ends[:, :2].T  # 0.1 m for each unit
            errors = (y - amplitude * np.sin(x - phase)) ** 2
            assert one.score.outcome.returns[: len(x)] == pytest.approx(-errors, abs=1e-4)
    assert found.after[1].score.episodes == 2 * len(x) and len(found.after[0].support) == 0
    x, y = 10 * found.after[1].support[:, :2].T
    assert len({*x}) == 5 and y == pytest.approx(amplitude * np.sin(x - phase), abs=1e-6)


def test_adapt_command_scores_held_out_tasks(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapt", str(run), "--held-out", "outside", "--shots", "0", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (row,) = printed["after"]
    assert (printed["task"], row["shots"], row["episodes"]) == ("point_navigation", 0, 20 * EPISODES)
    assert row["low"] < row["success"] < row["high"] < 0


def test_meta_test_refuses_what_it_cannot_adapt(run: Path, tmp_path: Path) -> None:
    test = MetaTest(run, shared_registry())
    with pytest.raises(ExperimentError, match="has 2 numbers, not 1"):
        next(test.adapt((0.1,)))
    plain = tmp_path / "experiment.yaml"
    plain.write_text("name: plain\n", encoding="utf-8")  # behavior cloning
    with pytest.raises(DataError, match="does not adapt"):
        MetaTest(tmp_path, shared_registry())
    assert main(["adapt", str(run), "--shots", "-1"]) == 2
    assert main(["adapt", str(run), "--held-out", "inside", "--repeats", "3"]) == 2
    assert main(["adapt", str(run), "--context", "nan", "0"]) == 2


def test_adapt_refuses_the_shots_that_an_experiment_may_not_ask_for(run: Path) -> None:
    (wanted,) = check(Experiment.load(run / "experiment.yaml").changed(**{"evaluation.shots": [0, 5]}), Registry())
    assert "it is trained on 2" in wanted.message
    test = MetaTest(run, shared_registry())
    for asked in (lambda: test.held_out("inside", [0, 5]), lambda: next(test.adapt(GOAL, [0, 5]))):
        with pytest.raises(ExperimentError) as refused:
            asked()
        assert (refused.value.message, refused.value.remedy) == (wanted.message, wanted.remedy)


def test_a_run_whose_checkpoints_are_damaged_says_so(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    for file in (copy / "checkpoints").rglob("state.*"):
        file.write_bytes(b"no state")
    with pytest.raises(DataError, match="is damaged"):
        MetaTest(copy, shared_registry())


@pytest.mark.parametrize(
    ("policy", "shots", "wanted"), [("task_mlp", [3], True), ("task_mlp", [0], False), ("trial_gru", [1], False)]
)
def test_a_score_without_the_shots_that_are_asked_for_is_known(
    tmp_path: Path, policy: str, shots: list[int], wanted: bool
) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(f"name: plain\npolicy: {{id: {policy}}}\n", encoding="utf-8")
    asked = Experiment.load(file).changed(**{"evaluation.shots": shots})
    assert leaves_out_shots(tmp_path, asked, shared_registry()) is wanted
