"""What a comparison runs: every run of the plan, none twice, and interrupted ones to their end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio import paths
from studio.analysis.comparison import table
from studio.errors import ExperimentError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.matrix import cells_of, matrix, run_all
from studio.run.matrix import plan as planned
from studio.run.session import Session
from studio.store.runs import RunInfo, list_runs

PARAMS = {"simulations": 2, "steps": 8, "minibatch": 8, "epochs": 1, "update": "eager", "physics_threads": 1}


@pytest.fixture
def robot(tmp_path: Path) -> Path:
    shutil.copytree(paths.assets() / "embodiments", tmp_path / "robots")
    return tmp_path / "robots" / "ur5_6dof.xml"


def plan(robot: Path | str = "ur5_6dof") -> Experiment:
    domain = {"embodiment": str(robot), "task": "reach", "observation": "goal"}
    return Experiment.from_dict(
        {
            "name": "tiny", "source": domain, "target": domain, "policy": {"id": "gaussian_mlp"},
            "strategy": {"id": "rl_from_scratch", "params": PARAMS}, "budget": {"iterations": 3, "threads": 1},
            "evaluation": {"episodes": 1, "source_episodes": 0}, "device": "cpu",
        }
    )  # fmt: skip


def ran(
    experiment: Experiment, folder: Path, drive: Callable[[Session], Any] = lambda session: session.run()
) -> list[RunInfo]:
    def failed(session: Session, error: Exception) -> None:
        raise error

    return run_all([experiment], Registry(), folder, lambda index, experiment: Channels(), drive, failed)


def test_a_robot_whose_file_has_changed_is_another_one(robot: Path, runs: Path) -> None:
    (first,) = ran(plan(robot), runs)
    (again,) = ran(plan(robot), runs)
    assert first.folder == again.folder and dict(first.inputs).keys() == {"source.embodiment", "target.embodiment"}
    heavier = re.sub(r'mass="[0-9.]+"', 'mass="30"', robot.read_text())
    assert heavier != robot.read_text()
    robot.write_text(heavier)
    (changed,) = ran(plan(robot), runs)
    assert changed.folder != first.folder and changed.state == "finished"
    assert changed.experiment_hash == first.experiment_hash
    rows = table([first, changed])
    assert [row["seeds"] for row in rows] == [1, 1]  # no two seeds of one configuration
    reported = [row["settings"]["file of target.embodiment"] for row in rows]
    assert {dict(run.inputs)["target.embodiment"][:8] for run in (first, changed)} == set(reported)


def test_what_was_stopped_is_gone_on_with(runs: Path) -> None:
    def stopped(session: Session) -> None:
        session.stop()
        session.run()

    (stopped_run,) = ran(plan(), runs, stopped)
    assert stopped_run.state == "stopped"
    (done,) = ran(plan(), runs)
    assert (done.folder, done.state) == (stopped_run.folder, "finished") and len(list_runs(runs)) == 1


def test_numbers_of_demonstrations_vary_only_where_there_are_any() -> None:
    both = {"strategies": ["rl_from_scratch", "lora"], "episodes": [5, 20], "seeds": [0, 1]}
    found = matrix(plan().changed(comparison=both), Registry())
    counts = [(e.strategy.id, e.target.episodes, e.seed) for e in found]
    assert sorted(counts) == sorted(
        [("rl_from_scratch", 5, seed) for seed in (0, 1)] + [("lora", n, seed) for n in (5, 20) for seed in (0, 1)]
    )


def test_all_that_keeps_a_comparison_from_starting_is_said_at_once(runs: Path) -> None:
    both = {"strategies": ["rl_from_scratch", "lora"], "seeds": [0, 1], "params": {"lora": {"rank": 0}}}
    experiments = matrix(plan().changed(comparison=both, **{"strategy.params.gamma": 2}), Registry())
    with pytest.raises(ExperimentError) as found:
        planned(experiments, Registry(), runs)
    lines = found.value.message.splitlines()
    assert lines[0] == f"Nothing was started, for {len(lines) - 2} reasons:" and not list_runs(runs)
    assert lines[-1] == "Change this, or leave those strategies out."
    assert any("'tiny-lora-" in line and "and 1 other cannot start" in line and "rank" in line for line in lines)
    assert any("'tiny-rl_from_scratch-" in line and "(strategy.params.gamma)" in line for line in lines)


def test_a_run_with_a_longer_evaluation_stands_for_its_first_batch(runs: Path) -> None:
    (done,) = ran(plan().changed(**{"evaluation.episodes": 12}), runs)
    stopping = plan().changed(**{"evaluation.episodes": 12, "comparison.stop_when_decided": True})
    (found,) = planned(matrix(stopping, Registry()), Registry(), runs)
    assert found.experiment.evaluation.episodes == 10 and found.run is not None and found.run.folder == done.folder
    (cell,) = cells_of(stopping, Registry(), runs).values()
    assert [run.folder for run in cell.values() if run is not None] == [done.folder]
    (other,) = planned(matrix(stopping.changed(seed=7), Registry()), Registry(), runs)
    assert other.run is None
