"""The run log: readable while it is written, after a kill, and complete."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from studio.errors import DataError
from studio.events import CheckpointSaved, EpisodesEnded, Event, Events, Logged, MetricsLogged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.session import Session
from studio.store.log_reader import opened, read_episodes, read_log
from studio.store.log_writer import RunLog
from studio.store.runs import read_run
from tests import tiny


def steps(file: h5py.File, stage: str = "adapt") -> list[int]:
    rows = file["metrics"][:]
    return sorted(set(rows["step"][(rows["stage"] == stage.encode()) & (rows["name"] == b"loss")].tolist()))


def test_it_is_readable_while_a_session_writes(runs: Path) -> None:
    session = Session(tiny.experiment(), Registry(), Channels(), runs)
    publish = session.channels.events.publish
    reached, go_on = threading.Event(), threading.Event()

    def hold(event: object) -> None:
        publish(event)
        if isinstance(event, MetricsLogged) and (event.stage, event.step) == ("adapt", 5):
            reached.set()
            go_on.wait(60)

    session.channels.events.publish = hold
    thread = threading.Thread(target=session.run)
    thread.start()
    try:
        assert reached.wait(60)
        with h5py.File(session.folder / "log.h5", "r", swmr=True) as file:

            def written() -> bool:
                file["metrics"].refresh()
                return steps(file) == [1, 2, 3, 4, 5]

            tiny.wait_for(written)
        assert read_log(session.folder).metrics[("adapt", "loss")].step.tolist() == [1, 2, 3, 4, 5]
    finally:
        go_on.set()
        thread.join(60)
    assert session.state == "finished"
    with h5py.File(session.folder / "log.h5") as file:
        assert steps(file) == list(range(1, 11))


def test_contents(finished: dict[str, Path]) -> None:
    run = finished["lora"]
    plan = Experiment.load(run / "experiment.yaml")
    with h5py.File(run / "log.h5") as file:
        assert Experiment.from_yaml(file.attrs["experiment"]) == plan
        assert (file.attrs["schema"], file.attrs["seed"]) == (1, plan.seed)
        for package in ("torch", "mujoco", "numpy", "h5py", "peft", "transfer-studio"):
            assert file.attrs[f"version of {package}"][0].isdigit(), package
        metrics = file["metrics"][:]
        assert {"loss", "gradient_norm", "learning_rate"} <= {name.decode() for name in metrics["name"]}
        assert set(metrics["unit"][metrics["name"] == b"loss"]) == {b"MSE"}
        assert file["metrics"].attrs["unit of seconds"]
        seconds = metrics["seconds"][metrics["name"] == b"loss"]
        assert np.all(np.diff(seconds) >= 0) and seconds[0] > 0
        evaluations = file["evaluations"][:]
        assert sorted(evaluations["domain"].tolist()) == [b"source", b"target"]
        assert np.all((evaluations["low"] <= evaluations["success"]) & (evaluations["success"] <= evaluations["high"]))
        episodes = file["episodes"][:]
        assert len(episodes) == plan.evaluation.episodes + plan.evaluation.source_episodes
        target = episodes[episodes["domain"] == b"target"]
        wanted = next(e for e in read_log(run).evaluations if e["domain"] == "target")
        assert target["success"].mean() == wanted["success"]
        assert target["return"].mean() == pytest.approx(wanted["mean_return"])
        drawn = file["randomization"][:]
        assert {b"friction", b"mass", b"camera_position_x"} <= set(drawn["name"].tolist())


def test_after_kill_9_it_opens_and_after_resume_it_is_an_ordinary_file(runs: Path, tmp_path: Path) -> None:
    plan = tiny.write(tiny.experiment(), tmp_path)
    process = tiny.held("adapt", 8, "run", plan, "--out", runs)
    folder = tiny.only_run(runs)
    try:
        tiny.wait_for(
            lambda: ("adapt", "loss") in (m := read_log(folder).metrics) and m[("adapt", "loss")].step[-1] == 8
        )
    finally:
        tiny.kill(process)
    assert read_run(folder).state == "interrupted"
    assert read_log(folder).metrics[("adapt", "loss")].step.tolist() == list(range(1, 9))
    with h5py.File(folder / "log.h5", "r", swmr=True) as file:
        assert steps(file) == list(range(1, 9))
        assert file.attrs["experiment"] and file.attrs["version of torch"]
    Session.resume(folder, Registry(), Channels()).run()
    with h5py.File(folder / "log.h5") as file:
        rows = file["metrics"][:]
        assert steps(file) == list(range(1, 11))
        # steps 7 and 8 were done twice: once before the kill, once from the checkpoint at 6
        assert np.count_nonzero((rows["stage"] == b"adapt") & (rows["name"] == b"loss") & (rows["step"] == 8)) == 2
    series = read_log(folder).metrics[("adapt", "loss")]
    assert series.step.tolist() == list(range(1, 11))
    assert not list(folder.rglob("*.tmp"))


def test_a_value_that_does_not_fit_is_told_and_the_rest_is_written(tmp_path: Path, experiment: Experiment) -> None:
    events = Events()
    seen = events.subscribe()
    log = RunLog(tmp_path / "log.h5", events, experiment)
    events.publish(MetricsLogged("adapt", 1, 0.0, {"loss": 1.0}, {}))
    tiny.wait_for(lambda: ("adapt", "loss") in read_log(tmp_path).metrics)
    events.publish(MetricsLogged("adapt", 2, 0.0, {"loss": "many"}, {}))
    logged: list[Logged] = []
    tiny.wait_for(lambda: logged.extend(e for e in seen.drain() if isinstance(e, Logged)) or logged)
    events.publish(MetricsLogged("adapt", 3, 0.0, {"loss": 3.0}, {}))
    log.close()
    assert read_log(tmp_path).metrics[("adapt", "loss")].step.tolist() == [1, 3]
    assert logged[0].level == "error"


def test_what_comes_before_a_checkpoint_is_in_the_log_when_there_is_one(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill right after a checkpoint loses nothing that came before it."""
    monkeypatch.setattr("studio.store.log_writer.FLUSH_SECONDS", 60.0)  # the log writes nothing by itself
    plan = tiny.experiment("lora", **{"evaluation.every": 3, "evaluation.short_episodes": 1})
    session = Session(plan, Registry(), Channels(), runs)
    publish = session.channels.events.publish
    found: dict[int, tuple[int, list[int]]] = {}

    def look(event: Event) -> None:
        publish(event)
        if isinstance(event, CheckpointSaved) and event.stage == "adapt":
            log = read_log(session.folder)
            found[event.step] = log.metrics["adapt", "loss"].step[-1], [row["step"] for row in log.evaluations]

    monkeypatch.setattr(session.channels.events, "publish", look)
    session.run()
    assert found and all(
        at == step and scored == [3 * i for i in range(1, 4) if 3 * i <= step] for step, (at, scored) in found.items()
    )


def test_long_text_of_any_language_is_kept(tmp_path: Path, experiment: Experiment) -> None:
    events = Events()
    plan = experiment.changed(description="迁移学习 " * 20_000)
    log = RunLog(tmp_path / "log.h5", events, plan)
    log.close()
    with h5py.File(tmp_path / "log.h5") as file:
        assert Experiment.from_yaml(file.attrs["experiment"]) == plan


def test_a_damaged_log_is_refused_in_plain_words(
    finished: dict[str, Path], tmp_path: Path, experiment: Experiment
) -> None:
    (tmp_path / "log.h5").write_bytes((finished["lora"] / "log.h5").read_bytes()[:700])
    with pytest.raises(DataError, match="run log"):
        read_log(tmp_path)
    with pytest.raises(DataError, match="run log") as caught:
        RunLog(tmp_path / "log.h5", Events(), experiment)
    assert caught.value.remedy


def test_a_run_without_a_log_has_none(tmp_path: Path) -> None:
    assert read_log(tmp_path).metrics == {}


def test_what_was_drawn_is_read_with_the_episode_it_was_drawn_for(tmp_path: Path) -> None:
    """Values by key: vectors, terms of some parts, and rows that a resumed run wrote a second time."""
    events = Events()
    log = RunLog(tmp_path / "log.h5", events, Experiment())
    seeds, long = np.array([11, 10]), "mass:" + "link_of_a_robot_with_long_names_*"
    drawn = {"friction": np.array([0.5, 1.5]), "color": np.arange(6.0).reshape(2, 3), long: np.array([0.9, 1.1])}
    for returns in ([1.0, 2.0], [3.0, 4.0]):  # the second time counts
        events.publish(EpisodesEnded("target", 5, seeds, returns, [7, 8], [True, False], drawn))
    events.publish(EpisodesEnded("source", 5, [10], [9.0], [1], [True], {}))
    log.close()
    table = read_episodes(tmp_path)
    assert table.domain.tolist() == ["source", "target", "target"]
    assert table.seed.tolist() == [10, 10, 11]
    assert table.returns.tolist() == [9.0, 4.0, 3.0]
    assert table.success.tolist() == [True, False, True]
    assert set(table.randomization) == {"friction", "color_r", "color_g", "color_b", long}
    np.testing.assert_array_equal(table.randomization["friction"], [np.nan, 1.5, 0.5])
    np.testing.assert_array_equal(table.randomization["color_b"], [np.nan, 5, 2])
    np.testing.assert_array_equal(table.randomization[long], [np.nan, 1.1, 0.9])
    assert len(read_episodes(tmp_path / "nowhere")) == 0


def test_a_runs_episodes_carry_the_values_their_worlds_had(finished: dict[str, Path]) -> None:
    run = finished["lora"]
    experiment = tiny.experiment("lora")
    table = read_episodes(run)
    target = table.domain == "target"
    keys = {name.rsplit("_", 1)[0] if name[-2:] in ("_x", "_y", "_z") else name for name in table.randomization}
    assert keys == {"friction", "mass", "camera_position"}
    for term in experiment.target.randomization:
        names = [n for n in table.randomization if n == term.key or n[:-2] == term.key]
        for name in names:
            known = table.randomization[name][target]
            assert np.all((known >= term.low) & (known <= term.high)) and len(set(known)) == len(known)
            assert np.all(np.isnan(table.randomization[name][~target])), "the source varies in nothing"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "100": lambda whole: whole[:100],
    "2000": lambda whole: whole[:2_000],
    "6000": lambda whole: whole[:6_000],
    "superblock": lambda whole: whole[:16] + b"\xff" * 16 + whole[32:],
    "table": lambda whole: whole.replace(b"OHDR", b"OHDX"),
}


def test_every_reader_says_in_one_sentence_that_a_log_is_damaged(tmp_path: Path, experiment: Experiment) -> None:
    """In a process of its own: a reader that waits for the rest of the file waits forever, and lets nobody else run."""
    RunLog(tmp_path / "log.h5", Events(), experiment).close()
    whole = (tmp_path / "log.h5").read_bytes()
    for name, damage in DAMAGES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.h5").write_bytes(damage(whole))
    code = f"""
from pathlib import Path
from studio.errors import DataError
from studio.viewer.episode_playback import scored
from studio.store.log_reader import read_episodes, read_log
from studio.store.log_writer import recover
for name in {list(DAMAGES)}:
    folder = Path({str(tmp_path)!r}) / name
    for reader in (read_log, read_episodes, scored, lambda folder: recover(folder / "log.h5")):
        try:
            reader(folder)
            print(name, "is whole")
        except DataError as error:
            print(name, error.message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    said = done.stdout.splitlines()
    assert said.pop() == "table is whole", done.stderr  # of what lies behind the superblock recovery reads nothing
    assert [line.partition(" (")[0] for line in said] == [
        f"{name} The run log cannot be read" for name in DAMAGES for _ in range(4 if name != "table" else 3)
    ]


def test_whatever_hdf5_raises_of_a_damaged_log_is_said_plainly(tmp_path: Path, experiment: Experiment) -> None:
    RunLog(tmp_path / "log.h5", Events(), experiment).close()
    for error in (OSError("a"), RuntimeError("b"), KeyError("c")):
        with pytest.raises(DataError, match=rf"cannot be read \({error.args[0]}\)"), opened(tmp_path / "log.h5"):
            raise error
