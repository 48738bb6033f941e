"""The list of runs in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.experiment import Experiment
from studio.store.runs import list_runs, write_status


def test_the_list_of_runs_parses_no_experiment_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are listed again at every heartbeat, on a thread that shares the interpreter with training."""
    parsed: list[Path] = []
    load = Experiment.load
    monkeypatch.setattr(Experiment, "load", lambda path: (parsed.append(path), load(path))[1])
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "experiment.yaml").write_text(Experiment().to_yaml())
        write_status(tmp_path / name, {"state": "finished", "created": 1.0})
    assert len(list_runs(tmp_path)) == 2 and len(parsed) == 2
    write_status(tmp_path / "a", {"state": "failed", "created": 1.0})
    assert {run.folder.name: run.state for run in list_runs(tmp_path)} == {"a": "failed", "b": "finished"}
    assert len(parsed) == 2
    (tmp_path / "b" / "experiment.yaml").write_text(Experiment(seed=12345).to_yaml())
    assert {run.seed for run in list_runs(tmp_path)} == {0, 12345}
