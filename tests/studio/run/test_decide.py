"""Deciding the pairs of a comparison: how many episodes are played, by whom, and what is kept of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from studio.cli.main import main
from studio.contracts import Problem
from studio.errors import ExperimentError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run import decide as decide_module
from studio.run.channels import Channels
from studio.run.decide import DecisionSession, known_decisions, pairs_of
from studio.run.matrix import cells_of, jobs_of, matrix, plan
from studio.run.queue import Queue
from studio.run.queue_entry import Job
from studio.store.played import write_played
from studio.store.resolve import resolved
from studio.store.runs import RunInfo, read_run
from tests import tiny

COMPARISON = {"strategies": ["from_scratch", "lora"], "seeds": [0, 1], "stop_when_decided": True}
REGISTRY = Registry()


@pytest.fixture
def played(runs: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Finished runs whose policies succeed always (lora) or never. Return what they play: (policy, seed, episodes)."""
    experiment = tiny.experiment().changed(comparison=COMPARISON, **{"evaluation.episodes": 40})
    for one in matrix(experiment, REGISTRY):
        folder = runs / one.name
        folder.mkdir()
        (folder / "experiment.yaml").write_text(one.to_yaml(), encoding="utf-8")
        rate = float(one.strategy.id == "lora")
        summary = {"success": rate, "low": rate, "high": rate, "measure": "success"}
        (folder / "run.json").write_text(json.dumps({"state": "finished", "created": 1.0, "summary": summary}))
    found: list[tuple[str, int, int]] = []

    def score(policy: str, _target: Any, _plan: Any, count: int, seed: int, _tick: Any) -> Any:
        found.append((policy, seed, count))
        outcome = SimpleNamespace(successes=np.full(count, "lora" in policy), returns=np.zeros(count))
        return [SimpleNamespace(outcome=outcome)]

    def no_problem(*_: Any) -> list[Problem]:
        return []

    monkeypatch.setattr(decide_module, "score_target", score)
    monkeypatch.setattr(decide_module, "load_policy", lambda folder, registry: folder.name)
    monkeypatch.setattr("studio.run.matrix.check", no_problem)
    return found


def known(runs: Path) -> list[RunInfo]:
    return [read_run(path) for path in sorted(runs.iterdir()) if path.is_dir()]


def test_a_decided_pair_plays_no_further_episode(
    runs: Path, played: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = tiny.experiment().changed(comparison=COMPARISON, **{"evaluation.episodes": 40})
    monkeypatch.setattr(decide_module, "matrix", lambda *_: [])
    monkeypatch.setattr(decide_module, "plan", lambda *_: [SimpleNamespace(run=run) for run in known(runs)])
    session = DecisionSession(experiment, REGISTRY, Channels(), runs)
    session.run()
    (row,) = [found.to_dict() for found in session.decisions]
    assert (row["ahead"], row["reference"], row["played"], row["planned"]) == ("lora", "from_scratch", 20, 80)
    assert session.state == "finished" and len(played) == 4 and {count for _, _, count in played} == {10}
    assert [run.evaluation_episodes for run in known(runs)] == [10] * 4
    kept = known_decisions(experiment, known(runs))
    assert kept == {("lora", 2): ("from_scratch", session.decisions[0].decision)}
    assert not known_decisions(experiment.changed(comparison={}), known(runs))
    played.clear()
    again = DecisionSession(experiment, REGISTRY, Channels(), runs)
    again.run()
    assert not played and again.decisions[0].decision == session.decisions[0].decision  # what was played is kept


@pytest.mark.usefixtures("played")
def test_compare_prints_what_was_decided(runs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plan = tiny.experiment().changed(comparison=COMPARISON, **{"evaluation.episodes": 40})
    for run in known(runs):
        resolved_plan = resolved(read_experiment(run.folder), REGISTRY)
        (run.folder / "experiment.yaml").write_text(resolved_plan.to_yaml(), encoding="utf-8")
        write_played(run, plan.evaluation.seed, np.full(10, run.success), {"success": run.success})
    line = ["compare", str(tiny.write(plan, tmp_path)), "--no-run", "--out", str(runs)]
    assert main([*line, "--format", "matrix"]) == 0
    assert "lora is ahead" in capfd.readouterr().out
    assert main([*line, "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)["decisions"]
    assert (row["ahead"], row["played"], row["planned"]) == ("lora", 20, 80)


def test_a_stopped_decision_plays_nothing(
    runs: Path, played: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decide_module, "matrix", lambda *_: [])
    monkeypatch.setattr(decide_module, "plan", lambda *_: [SimpleNamespace(run=run) for run in known(runs)])
    session = DecisionSession(tiny.experiment().changed(comparison=COMPARISON), REGISTRY, Channels(), runs)
    session.stop()
    session.run()
    assert session.state == "stopped" and not played and not session.decisions


def test_runs_of_a_comparison_to_be_decided_score_one_batch(runs: Path) -> None:
    experiment = tiny.experiment().changed(comparison=COMPARISON, **{"evaluation.episodes": 40})
    assert {one.evaluation.episodes for one in matrix(experiment, REGISTRY)} == {10}
    jobs = jobs_of(experiment, plan([], REGISTRY, runs))
    assert [job.decides for job in jobs] == [True]
    with pytest.raises(ExperimentError, match="scored after shots"):
        matrix(experiment.changed(**{"evaluation.shots": [0, 1]}), REGISTRY)


def test_pairs_of_a_comparison_are_with_training_without_transfer(
    runs: Path, played: list[tuple[str, int, int]]
) -> None:
    (pair,) = pairs_of(known(runs))
    assert (pair.reference, pair.strategy, [a.seed for a, _ in pair.runs]) == ("from_scratch", "lora", [0, 1])


def test_cells_of_a_comparison_hold_its_runs_in_any_state(runs: Path, played: list[tuple[str, int, int]]) -> None:
    for one in runs.iterdir():
        (one / "experiment.yaml").write_text(resolved(read_experiment(one), REGISTRY).to_yaml(), encoding="utf-8")
    status = runs / "tiny-lora-2-1" / "run.json"
    status.write_text(status.read_text().replace("finished", "failed"))
    shutil.rmtree(runs / "tiny-lora-2-0")
    experiment = tiny.experiment().changed(comparison=COMPARISON, **{"evaluation.episodes": 40})
    cells = cells_of(experiment, REGISTRY, runs)
    states = {key: [None if run is None else run.state for run in seeds.values()] for key, seeds in cells.items()}
    assert states == {("from_scratch", 2): ["finished", "finished"], ("lora", 2): [None, "failed"]}


def read_experiment(folder: Path) -> Experiment:
    return Experiment.load(folder / "experiment.yaml")


def test_queue_keeps_that_an_entry_decides(runs: Path) -> None:
    queue = Queue(runs)
    queue.add([Job(tiny.experiment(), decides=True), Job(tiny.experiment())])
    assert [queue.job_of(entry).decides for entry in queue.entries()] == [True, False]
