"""A session's life: what it publishes, how it stops, and how it fails."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.cli.main import main
from studio.errors import ExperimentError, StudioError
from studio.events import (
    CheckpointSaved,
    EpisodesEnded,
    Evaluated,
    Exported,
    Failed,
    Logged,
    MetricsLogged,
    StageChanged,
    StateChanged,
)
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.pipeline import STAGES
from studio.run.session import Session
from studio.store.log_reader import read_log
from studio.store.resolve import resolved
from studio.store.runs import list_runs, read_run, write_status
from tests import tiny

BROKEN = """
import torch
from studio.contracts import Metrics
from studio.il.strategy import CloningStrategy

class Broken(CloningStrategy):
    id = "broken"
    title = "Broken"
    summary = "Fails."
    reference = "none"

    def setup(self, context):
        {setup}
        policy = context.policy(pretrained=True)
        self.clone(context, policy, list(policy.parameters()))

    def iterate(self):
        {iterate}
        yield Metrics(1, 2, {{"loss": {loss}}})
        yield Metrics(2, 2, {{"loss": 0.1}})
"""


def started(plan: Experiment, runs: Path, registry: Registry | None = None) -> tuple[Session, Any]:
    session = Session(plan, registry or Registry(), Channels(), runs)
    return session, tiny.listen(session)


def plugin(folder: Path, setup: str = "pass", iterate: str = "pass", loss: str = "0.5") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "broken.py"
    file.write_text(BROKEN.format(setup=setup, iterate=iterate, loss=loss))
    return file


def test_changes_to_a_users_robot_are_logged_and_its_failure_has_a_cause(tmp_path: Path, runs: Path) -> None:
    link = '<body pos="0 0 .2"><joint name="{0}" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 .2" size=".02"/>'
    links = "".join(link.format(name) for name in "ab") + "</body>" * 2
    motors = "".join(f'<motor name="m_{name}" joint="{name}"/>' for name in "ab")
    robot = tmp_path / "robot.xml"
    robot.write_text(f"<mujoco><worldbody>{links}</worldbody><actuator>{motors}</actuator></mujoco>")
    changes = {"target.embodiment": str(robot), "target.observation": "goal", "target.episodes": 16}
    session, published = started(tiny.experiment("from_scratch", **changes), runs)
    with pytest.raises(ExperimentError, match=r"cannot do 'reach'.*out of reach.*no nearer than 0\.[0-9]+ m"):
        session.run()
    said = [e.text for e in published() if isinstance(e, Logged)]
    assert "robot: Position servos replace the torque motors m_a, m_b." in said


def test_a_session_tells_its_way(experiment: Experiment, runs: Path) -> None:
    session, published = started(experiment, runs)
    folder = session.run()
    events = published()
    states = [e.state for e in events if isinstance(e, StateChanged)]
    assert states == ["preparing", "running", "finished"]
    stages = [e.stage for e in events if isinstance(e, StageChanged)]
    assert stages == list(STAGES)
    steps = [e.step for e in events if isinstance(e, MetricsLogged) and e.stage == "adapt"]
    assert steps == list(range(1, 11))
    metrics = next(e for e in events if isinstance(e, MetricsLogged))
    assert {"loss", "gradient_norm", "learning_rate"} <= set(metrics.values)
    assert metrics.units["loss"] == "MSE"
    saved = [e.step for e in events if isinstance(e, CheckpointSaved) and e.stage == "adapt"]
    assert saved == [3, 6, 9, 10]
    _, shown = session.channels.policy.get()  # what a watcher has is not older than the run's end
    learned = tiny.tensors(folder / "policy" / "policy.safetensors")
    assert shown is not None and all(torch.equal(value, learned[name]) for name, value in shown.state_dict().items())
    scores = {e.domain: e for e in events if isinstance(e, Evaluated)}
    assert set(scores) == {"target", "source"}
    assert all(e.low <= e.success <= e.high for e in scores.values())
    ended = {e.domain: e for e in events if isinstance(e, EpisodesEnded)}
    assert list(ended["target"].seeds) == [experiment.evaluation.seed, experiment.evaluation.seed + 1]
    assert [e.path for e in events if isinstance(e, Exported)] == [str(folder)]
    version, progress = session.channels.progress.get()
    assert version > 10 and progress is not None and progress.fraction == pytest.approx(1, abs=0.02)
    status = json.loads((folder / "run.json").read_text())
    assert status["state"] == "finished" and status["summary"]["trainable_parameters"] > 1000
    assert Experiment.load(folder / "experiment.yaml") == resolved(experiment, Registry())


def test_runs_with_the_same_seed_are_the_same_and_the_source_is_trained_once(
    finished: dict[str, Path], runs: Path
) -> None:
    import torch

    session, published = started(tiny.experiment("full_finetuning"), runs)
    session.run()
    assert not [e for e in published() if isinstance(e, MetricsLogged) and e.stage == "pretrain"]
    first, second = (
        tiny.tensors(f / "policy" / "policy.safetensors") for f in (finished["full_finetuning"], session.folder)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_trainable_parameters_are_the_strategys(finished: dict[str, Path]) -> None:
    count = {strategy: read_run(folder).trainable_parameters for strategy, folder in finished.items()}
    assert count["from_scratch"] == count["full_finetuning"]
    assert 0 < count["feature_extraction"] < count["lora"] < count["full_finetuning"]


def test_feature_extraction_changes_the_head_alone(finished: dict[str, Path]) -> None:
    import torch

    run = finished["feature_extraction"]
    base, tuned = (tiny.tensors(run / part / "policy.safetensors") for part in ("base", "policy"))
    changed = {name.split(".")[0] for name in base if not torch.equal(base[name], tuned[name])}
    assert "action_head" in changed
    assert changed <= {"action_head", "spaces", "fingerprint"}


@pytest.mark.parametrize(
    ("code", "line", "said"),
    [
        ({"setup": "raise KeyError('no such thing')"}, 13, "no such thing"),
        (
            {"setup": "torch.zeros(2) @ torch.zeros(3)"},
            13,
            "RuntimeError",
        ),  # torch's frames lie deeper; this line is ours
        ({"iterate": "raise ValueError('in iterate')"}, 18, "ValueError: in iterate"),
        ({"setup": "context.policy(pretrained=True).forward(1)"}, None, "TypeError"),
    ],
)
def test_a_strategy_that_raises_is_named_with_its_line(
    tmp_path: Path, runs: Path, code: dict[str, str], line: int | None, said: str
) -> None:
    file = plugin(tmp_path / "plugins", **code)
    session, published = started(tiny.experiment("broken"), runs, Registry(file.parent))
    with pytest.raises((KeyError, RuntimeError, ValueError, TypeError)):
        session.run()
    (failed,) = [e for e in published() if isinstance(e, Failed)]
    assert said in failed.message
    assert "Traceback" in failed.traceback and failed.remedy
    if line is not None:
        assert failed.field == f"{file}, line {line}"
    assert session.state == "failed"
    status = json.loads((session.folder / "run.json").read_text())
    assert status["state"] == "failed"
    assert said in status["error"]["message"]
    assert read_run(session.folder).state == "failed"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ({"loss": "float('nan')"}, "The loss is nan at step 1"),
        ({"loss": "float('inf')"}, "The loss is inf at step 1"),
        ({"loss": "0.5, 'critic_loss': float('nan')"}, "The critic loss is nan at step 1"),
        ({"iterate": "self._policy.action_head[0].bias.data[0] = float('nan')"}, "Policy weights contain NaN or Inf"),
    ],
)
def test_a_loss_or_a_weight_that_is_no_number_ends_the_run(
    tmp_path: Path, runs: Path, code: dict[str, str], said: str
) -> None:
    file = plugin(tmp_path / "plugins", **code)
    session, published = started(tiny.experiment("broken"), runs, Registry(file.parent))
    with pytest.raises(StudioError, match=said):
        session.run()
    (failed,) = [e for e in published() if isinstance(e, Failed)]
    assert (failed.field, session.state) == ("strategy.params.learning_rate", "failed")
    assert "Lower the learning rate" in failed.remedy
    assert read_run(session.folder).state == "failed"
    assert not (session.folder / "policy").exists()


@pytest.mark.parametrize("code", [{"setup": "raise KeyError('boom')"}, {"iterate": "1 / 0"}, {"loss": "float('nan')"}])
def test_the_command_line_says_it_in_one_sentence(
    tmp_path: Path,
    runs: Path,
    code: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = plugin(tmp_path / "plugins", **code)
    monkeypatch.setenv("TRANSFER_STUDIO_PLUGINS", str(file.parent))
    plan = tiny.write(tiny.experiment("broken"), tmp_path)
    assert main(["run", str(plan), "--out", str(runs)]) == 1
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    (line,) = [line for line in err.splitlines() if line.startswith("transfer-studio:")]
    assert "loss" in code or f"{file}, line" in line


def test_stop_ends_with_a_checkpoint_and_resume_goes_on(runs: Path) -> None:
    session, _ = started(tiny.experiment(**{"budget.checkpoint_every": 1000}), runs)
    publish = session.channels.events.publish

    def stop_at_four(event: Any) -> None:
        publish(event)
        if isinstance(event, MetricsLogged) and (event.stage, event.step) == ("adapt", 4):
            session.stop()

    session.channels.events.publish = stop_at_four
    folder = session.run()
    assert session.state == "stopped" and read_run(folder).state == "stopped"
    assert (folder / "checkpoints" / "adapt-00000004" / "state.json").exists()
    again = Session.resume(folder, Registry(), Channels())
    published = tiny.listen(again)
    again.run()
    assert [e.step for e in published() if isinstance(e, MetricsLogged)] == list(range(5, 11))
    assert read_run(folder).state == "finished"


def test_a_score_that_a_stop_came_before_is_made_on_resume(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"evaluation.every": 3, "evaluation.short_episodes": 1, "budget.checkpoint_every": 1000}
    session, _ = started(tiny.experiment(**changes), runs)

    def stopped(*given: Any) -> None:
        session.stop()
        session.clock.tick()

    with monkeypatch.context() as patch:
        patch.setattr("studio.run.scoring.score_target", stopped)
        folder = session.run()
    assert session.state == "stopped" and not read_log(folder).evaluations
    assert (folder / "checkpoints" / "adapt-00000003" / "state.json").exists()
    again = Session.resume(folder, Registry(), Channels())
    publish = again.channels.events.publish

    def stop_after_four(event: Any) -> None:
        publish(event)
        if isinstance(event, MetricsLogged) and event.step == 4:
            again.stop()

    again.channels.events.publish = stop_after_four
    again.run()
    Session.resume(folder, Registry(), Channels()).run()
    scored = [(row["step"], row["final"]) for row in read_log(folder).evaluations if row["domain"] == "target"]
    assert scored == [(3, False), (6, False), (9, False), (10, True)]


def test_a_score_that_was_made_is_not_made_again_on_resume(runs: Path) -> None:
    changes = {"evaluation.every": 3, "evaluation.short_episodes": 1}
    session, _ = started(tiny.experiment(**changes), runs)
    publish = session.channels.events.publish

    def stop_when_saved(event: Any) -> None:
        publish(event)
        if isinstance(event, CheckpointSaved) and event.stage == "adapt":
            session.stop()

    session.channels.events.publish = stop_when_saved
    folder = session.run()
    Session.resume(folder, Registry(), Channels()).run()
    scored = [row["step"] for row in read_log(folder).evaluations if row["domain"] == "target"]
    assert scored == [3, 6, 9, 10]
    whole = tiny.run(tiny.experiment(**changes), runs).folder
    recorded, wanted = (json.loads((run / "run.json").read_text())["evaluations"] for run in (folder, whole))
    assert recorded == wanted and [score["step"] for score in recorded] == [3, 6, 9, 10, 10], (
        "run.json forgot its first half"
    )


def test_pause_holds_and_unpause_goes_on(runs: Path) -> None:
    session, published = started(tiny.experiment(), runs)
    session.pause()
    thread = threading.Thread(target=session.run)
    thread.start()
    try:
        tiny.wait_for(lambda: session.state == "paused" or session.clock.hold())
        seconds = session.clock.seconds
        count = len(published())
        assert not thread.join(0.5) and thread.is_alive()
        assert len([e for e in published()[count:] if isinstance(e, MetricsLogged)]) == 0
        session.unpause()
        thread.join(60)
        assert session.state == "finished"
        assert seconds >= 0
    finally:
        session.stop()
        thread.join()


def test_a_problem_is_found_before_anything_is_made(runs: Path) -> None:
    session, _ = started(tiny.experiment(**{"target.camera": "nowhere"}), runs)
    with pytest.raises(ExperimentError) as caught:
        session.run()
    assert caught.value.field == "target.camera" and "front" in caught.value.remedy
    assert not any(runs.iterdir())


def test_a_damaged_cached_policy_is_made_anew(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFER_STUDIO_CACHE", str(tmp_path / "cache"))
    plan = tiny.experiment(**{"budget.iterations": 1, "pretraining.iterations": 2, "evaluation.source_episodes": 0})
    tiny.run(plan, runs)
    (weights,) = (tmp_path / "cache" / "policies").glob("*/policy.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for file in (tmp_path / "cache" / "datasets").iterdir():
        file.write_bytes(b"no HDF5")
    again, published = started(plan, runs)
    again.run()
    assert [e for e in published() if isinstance(e, MetricsLogged) and e.stage == "pretrain"]
    assert len(list_runs(runs)) == 2


def test_what_is_written_is_json_whatever_came_out(tmp_path: Path) -> None:
    """JSON knows neither NaN nor infinity; other programs refuse a file that holds one."""
    broken = [float("nan"), {"low": float("-inf")}, (1.5, None, "NaN", True)]
    write_status(tmp_path, {"summary": {"success": float("nan")}, "evaluations": broken})
    text = (tmp_path / "run.json").read_text()
    status = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert status["summary"] == {"success": None}
    assert status["evaluations"] == [None, {"low": None}, [1.5, None, "NaN", True]]
