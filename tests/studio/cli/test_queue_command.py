"""The queue on the command line: the same file as the window's, and its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.cli.main import main
from studio.run.queue import Queue
from tests import tiny


def test_queue_commands_change_the_file_and_print_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs, file = tmp_path / "runs", tiny.write(tiny.experiment(), tmp_path)

    def asked(*words: str | Path) -> dict[str, Any]:
        assert main(["queue", *map(str, words), "--out", str(runs), "--json"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    assert asked("list") == {
        "queue": str(runs / "queue.json"),
        "going": False,
        "seconds_left": 0.0,
        "entries": [],
    }
    asked("add", file, "--seed", "3")
    (row,) = asked("list")["entries"]
    assert (row["id"], row["state"], row["seed"], row["run"]) == (1, "waiting", 3, None)
    compared = {"comparison.strategies": ["lora", "from_scratch"], "comparison.seeds": [0, 1]}
    compared_file = tiny.write(tiny.experiment(name="both", **compared), tmp_path)
    rows = asked("add", compared_file, "--compare")["entries"]
    assert [row["strategy"] for row in rows[1:]] == ["lora", "from_scratch"] * 2
    assert {row["comparison"] for row in rows[1:]} == {"both"}
    asked("move", "5", "--first")
    asked("skip", "1")
    asked("cancel", "2", "4")
    asked("repeat", "1", "--seed", "9")
    rows = asked("list")["entries"]
    assert [(row["id"], row["state"]) for row in rows] == [
        (5, "waiting"),
        (1, "skipped"),
        (3, "waiting"),
        (6, "waiting"),
    ]
    assert rows[-1]["seed"] == 9
    assert main(["queue", "list", "--out", str(runs)]) == 0
    assert "3 waiting" in capsys.readouterr().out


def test_queue_run_goes_on_after_a_failure_and_reports_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.run.session import Session

    def run(session: Session) -> None:
        if session.experiment.name == "bad":
            raise RuntimeError("no such camera")
        session._reporter.state = "finished"

    monkeypatch.setattr(Session, "run", run)
    for name in ("bad", "good"):
        file = tiny.write(tiny.experiment(name=name), tmp_path)
        assert main(["queue", "add", str(file), "--out", str(tmp_path)]) == 0
    assert main(["queue", "run", "--out", str(tmp_path)]) == 1
    assert [(entry.experiment.name, entry.state) for entry in Queue(tmp_path).entries()] == [
        ("bad", "failed"),
        ("good", "finished"),
    ]
    assert "no such camera" in capsys.readouterr().err
    assert main(["queue", "run", "--out", str(tmp_path)]) == 0  # nothing waits


@pytest.mark.parametrize("words", [("cancel",), ("skip", "4"), ("add", "missing.yaml")])
def test_a_wrong_queue_request_exits_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert main(["queue", *words, "--out", str(tmp_path)]) == 2
