"""What the commands tell while a run goes on, and of runs that fail."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.cli.main import main
from studio.cli.progress import ProgressLine
from studio.errors import ExperimentError, StudioError
from studio.events import Logged, Progress, StateChanged
from studio.files import json_text
from studio.registry import Registry
from studio.run.channels import Channels
from studio.store.resolve import resolved
from studio.store.runs import new_folder
from tests import tiny


class Acting:
    """A session that does what it is given."""

    def __init__(self, channels: Channels, act: Callable[[Channels], None]) -> None:
        self.channels, self._act = channels, act

    def run(self) -> None:
        self._act(self.channels)

    def stop(self) -> None: ...


class Terminal(io.StringIO):
    """Keeps what a terminal would show: a line that is cleared is gone."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        return [line.rpartition("\r\033[K")[2] for line in self.getvalue().split("\n")]


def follow(*acts: Callable[[Channels], None]) -> None:
    with ProgressLine(len(acts)) as follower:
        for index, act in enumerate(acts):
            follower.drive(Acting(follower.channels(index, tiny.experiment()), act))


def test_what_is_logged_is_told_while_the_run_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    printed = {"out": "", "err": ""}

    def act(channels: Channels) -> None:
        def seen() -> bool:
            out, err = capfd.readouterr()
            printed["out"], printed["err"] = printed["out"] + out, printed["err"] + err
            return "Compiling." in printed["err"]

        channels.events.publish(Logged("info", "Compiling."))
        tiny.wait_for(seen, 5)
        channels.events.publish(Logged("info", "The last word."))

    follow(act)
    assert printed == {"out": "", "err": "Compiling.\n"}
    assert capfd.readouterr() == ("", "The last word.\n")


def test_the_progress_line_is_not_torn_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    def act(channels: Channels) -> None:
        channels.progress.set(Progress("adapt", 0, 0, 0.0, 0.5, 80.0))
        tiny.wait_for(lambda: "adapt  80 s left" in terminal.lines()[-1], 5)  # how many steps is not known yet
        channels.progress.set(Progress("adapt", 320, 800, 0.4, 0.5, 80.0))
        tiny.wait_for(lambda: "adapt 320/800" in terminal.lines()[-1], 5)
        channels.progress.set(Progress("adapt", 321, 800, 0.4, 0.5, math.nan, 60.0))  # the evaluation is not known
        tiny.wait_for(lambda: "adapt 321/800  60 s left in this stage" in terminal.lines()[-1], 5)
        channels.progress.set(Progress("adapt", 320, 800, 0.4, 0.5, 80.0))
        tiny.wait_for(lambda: "adapt 320/800" in terminal.lines()[-1], 5)
        channels.events.publish(Logged("warning", "It diverged."))
        tiny.wait_for(lambda: terminal.lines()[0] == "It diverged.", 5)
        tiny.wait_for(lambda: "adapt 320/800" in terminal.lines()[-1], 5)

    follow(act, lambda channels: channels.events.publish(Logged("info", "The next.")))
    assert terminal.lines() == ["It diverged.", "The next.", ""]


class Recorded:
    """A session that leaves a run folder behind; it fails where ``faults`` has its strategy."""

    faults: dict[str, Exception] = {}
    started: list[str] = []

    def __init__(self, experiment: Any, registry: Any, channels: Channels, folder: Path) -> None:
        self.experiment, self.channels, self._parent = experiment, channels, folder
        self.state = "preparing"

    def run(self) -> None:
        self.started.append(self.experiment.name)
        unexpected_error = self.faults.get(self.experiment.strategy.id)
        if isinstance(unexpected_error, ExperimentError):
            raise unexpected_error  # it could not even begin
        self.folder = new_folder(self._parent, self.experiment)
        (self.folder / "experiment.yaml").write_text(resolved(self.experiment, Registry()).to_yaml())
        self.state = "failed" if unexpected_error else "finished"
        summary = {"success": 0.5, "low": 0.4, "high": 0.6, "peak_memory_mb": 1}
        (self.folder / "run.json").write_text(json_text({"state": self.state, "summary": summary}))
        self.channels.events.publish(StateChanged(str(self.folder), self.state))
        if unexpected_error:
            raise unexpected_error


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> type[Recorded]:
    monkeypatch.setattr("studio.run.matrix.Session", Recorded)
    monkeypatch.setattr("studio.run.session.Session", Recorded)
    monkeypatch.setattr(Recorded, "faults", {})
    monkeypatch.setattr(Recorded, "started", [])
    return Recorded


def compared(folder: Path, *more: str, **changes: Any) -> int:
    plan = tiny.experiment("lora", **{"comparison.strategies": ["lora", "from_scratch"]} | changes)
    return main(["compare", str(tiny.write(plan, folder)), "--out", str(folder / "runs"), *more])


def test_a_run_that_fails_is_told_and_the_others_are_compared(
    recorded: type[Recorded], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorded.faults["lora"] = StudioError("The loss is no number.", "strategy.params.learning_rate", "Lower it.")
    assert compared(tmp_path, "--json") == 1
    out, err = capfd.readouterr()
    assert [row["strategy"] for row in json.loads(out)["rows"]] == ["from_scratch"]
    (folder,) = (tmp_path / "runs").glob("*-lora-*")
    assert err.splitlines() == [
        "transfer-studio: 'tiny-lora-2-0' failed: strategy.params.learning_rate: The loss is no number. Lower it. "
        f"The run is kept in {folder}."
    ]
    recorded.faults.clear()
    assert compared(tmp_path, "--json") == 0
    assert recorded.started == ["tiny-lora-2-0", "tiny-from_scratch-2-0", "tiny-lora-2-0"]


def test_all_that_is_compared_is_checked_before_the_first_run(
    recorded: type[Recorded], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert compared(tmp_path, **{"comparison.params": {"from_scratch": {"learning_rate": -1}}}) == 2
    assert not recorded.started
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("transfer-studio: strategy.params.learning_rate: 'tiny-from_scratch-2-0' cannot start: -1 ")


def test_where_no_run_can_be_kept_no_other_is_tried_and_what_finished_is_compared(
    recorded: type[Recorded], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorded.faults["from_scratch"] = ExperimentError("The output folder is full.", "runs", "Choose another.")
    three = {"comparison.strategies": ["lora", "from_scratch", "full_finetuning"]}
    assert compared(tmp_path, "--json", **three) == 1
    out, err = capfd.readouterr()
    assert [row["strategy"] for row in json.loads(out)["rows"]] == ["lora"] and len(recorded.started) == 2
    words = "'tiny-from_scratch-2-0' failed: runs: The output folder is full. Choose another."
    assert err.splitlines() == [f"transfer-studio: {words}"]
    assert compared(tmp_path, **{"comparison.strategies": ["from_scratch"]}) == 2  # there is nothing to compare


FAILING = """
from studio.contracts import Requires
from studio.il.strategy import CloningParams, CloningStrategy


class Failing(CloningStrategy):
    id, title, summary, reference = "failing", "Failing", "It fails.", "None"
    requires = Requires()

    Params = CloningParams

    def setup(self, context):
        1 / 0
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_fault_of_a_users_plugin_points_at_its_line_and_names_the_run(
    debug: str, tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "failing.py"
    plugin.write_text(FAILING)
    monkeypatch.setenv("TRANSFER_STUDIO_PLUGINS", str(tmp_path))
    monkeypatch.setenv("TRANSFER_STUDIO_DEBUG", debug)
    assert main(["run", str(tiny.write(tiny.experiment("failing"), tmp_path)), "--out", str(runs)]) == 1
    err = capfd.readouterr().err
    line = FAILING.splitlines().index("        1 / 0") + 1
    said = "The plugin raised an error (ZeroDivisionError: division by zero)."
    assert err.splitlines()[-1] == (
        f"transfer-studio: {plugin}, line {line}: {said} The run is kept in {tiny.only_run(runs)}. "
        f"Fix line {line}, or set TRANSFER_STUDIO_DEBUG=1 to see the traceback."
    )
    assert ("Traceback" in err) == bool(debug)
    assert json.loads((tiny.only_run(runs) / "run.json").read_text())["error"]["message"] == said


def test_a_fault_of_the_program_is_a_sentence_that_names_the_run(
    recorded: type[Recorded], tmp_path: Path, runs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorded.faults["lora"] = RuntimeError("Sizes differ:\n\tgot 3,\n\twanted 4.")
    plan = str(tiny.write(tiny.experiment("lora"), tmp_path))
    assert main(["run", plan, "--out", str(runs), "--json"]) == 1
    error = json.loads(capfd.readouterr().out)
    assert error["error"] == "Transfer Studio has a bug here (RuntimeError: Sizes differ: got 3, wanted 4)."
    assert error["field"].startswith(f"{__file__}, line ")
    kept = f"The run is kept in {tiny.only_run(runs)}."
    assert error["remedy"] == f"{kept} Set TRANSFER_STUDIO_DEBUG=1 to see the traceback."
    assert compared(tmp_path) == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("transfer-studio: ")]
    assert line.count("The run is kept in ") == 1 and "has a bug here" in line
