"""Real to sim to real: its stages run in order, it finds what is hidden, and it goes on after a stop bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

import tests.tiny as tiny
from studio.data.datasets import demonstrations
from studio.events import MetricsLogged, StageChanged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from studio.sim.domains import resolve
from studio.store.restore import latest_state
from studio.sysid import read_recordings, record, write_recordings

REGISTRY = Registry()
STAGES = ["real_data", "identification", "calibrated_data", "training", "fine_tuning"]


def plan(**changes: Any) -> Experiment:
    made = tiny.experiment("real_to_sim_to_real")
    whole: dict[str, Any] = {
        "source.embodiment": "ur5_6dof",
        "target.hidden_dynamics": "heavy",
        "budget.iterations": 6,
        "evaluation.source_episodes": 0,
        "strategy.params": {
            "fields": ["actuator_gain", "mass"],
            "method": "sysid",
            "simulated_episodes": 3,
            "real_episodes": 2,
            "fine_tuning_iterations": 4,
        },
    }
    for domain in ("source", "target"):
        whole[f"{domain}.observation"] = "goal"
    return made.changed(**whole | changes)


def test_the_stages_run_in_order_and_what_is_hidden_is_found(tmp_path: Path) -> None:
    channels = Channels()
    heard = channels.events.subscribe()
    session = Session(plan(), REGISTRY, channels, tmp_path)
    session.run()
    events = heard.drain()
    entered = [e.stage for e in events if isinstance(e, StageChanged)]
    assert [s for s in entered if s in STAGES] == STAGES
    assert next(e.pipeline for e in events if isinstance(e, StageChanged)) == (
        "source",
        "pretrain",
        *STAGES,
        "evaluate",
        "export",
    )
    metrics = [e for e in events if isinstance(e, MetricsLogged)]
    assert [m.step for m in metrics] == list(range(1, 3 + 6 + 4 + 1))
    (found,) = [m.values for m in metrics if m.stage == "identification"]
    # the stand-in's delay and friction are not asked for, so the two may not be exact; far from nominal they are
    assert found["estimate_actuator_gain"] < 0.95 and found["estimate_mass"] > 1.2
    assert found["misfit"] < found["misfit_nominal"] / 2
    (score,) = session.evaluations
    assert score["domain"] == "target" and score["episodes"] == 2


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.run(plan(**{"strategy.params.simulation": "randomized"}), tmp_path_factory.mktemp("whole")).folder


@pytest.mark.parametrize("held", [("training", 5), ("calibrated_data", 3)])
def test_a_killed_run_goes_on_bit_for_bit(uninterrupted: Path, tmp_path: Path, held: tuple[str, int]) -> None:
    """Checkpoints are every third step, so each of these is killed after one and before the next."""
    file, runs = uninterrupted / "experiment.yaml", tmp_path / "killed"
    tiny.kill(tiny.held(*held, "run", file, "--out", runs))
    resumed = tiny.only_run(runs)
    Session.resume(resumed, REGISTRY, Channels()).run()
    one, other = latest_state(uninterrupted, "adapt"), latest_state(resumed, "adapt")
    assert one is not None and other is not None and one[0] == other[0]
    for name, tensor in one[1]["training"]["policy"].items():
        assert torch.equal(tensor, other[1]["training"]["policy"][name]), name


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A robot's recordings, without velocities, and two of its demonstrations."""
    folder, robot = tmp_path_factory.mktemp("robot"), plan().target
    robot = robot.changed(task="push")  # its block has more coordinates than degrees of freedom
    recordings = record(resolve(robot, REGISTRY), None, 1, 0).until(20)
    write_recordings(replace(recordings, qvel=np.full(recordings.qvel.shape, np.nan)), folder / "recordings.h5")
    with h5py.File(folder / "recordings.h5", "a") as file:
        del file["qvel"]
    episodes = demonstrations(resolve(robot.changed(episodes=2), REGISTRY), 0)
    REGISTRY.get("formats", "robomimic")().write(episodes, folder / "demonstrations.h5")
    return folder / "recordings.h5", folder / "demonstrations.h5"


def from_files(recordings: Path, episodes: Path, **changes: Any) -> Experiment:
    whole: dict[str, Any] = {
        "source.task": "push",
        "target.task": "push",
        "target.hidden_dynamics": None,
        "target.dataset": str(episodes),
        "strategy.params.recordings": str(recordings),
        "strategy.params.fields": ["actuator_gain"],
    }
    return plan(**whole | changes)


def test_files_of_recordings_and_demonstrations_are_a_robot_without_a_stand_in(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    assert not read_recordings(files[0]).has_velocities
    experiment = from_files(*files)
    assert check(experiment, REGISTRY) == []
    session = Session(experiment, REGISTRY, Channels(), tmp_path)
    published = tiny.listen(session)
    session.run()
    (found,) = [e.values for e in published() if isinstance(e, MetricsLogged) and e.stage == "identification"]
    assert found["estimate_actuator_gain"] < 0.95 and found["misfit"] < found["misfit_nominal"]
    assert session.evaluations[0]["episodes"] == 2


def test_recordings_that_do_not_fit_are_a_problem_before_the_run(files: tuple[Path, Path]) -> None:
    recordings, episodes = files
    for changes, words in (
        ({"strategy.params.recordings": str(episodes)}, "lacks commands, qpos, dt"),
        ({"strategy.params.recordings": "none.h5"}, "does not exist"),
        (
            {"source.task": "reach", "target.task": "reach", "target.hidden_dynamics": "heavy", "target.dataset": None},
            "'qpos' is 13 wide; the model has 6 coordinates",
        ),
    ):
        (problem,) = check(from_files(recordings, episodes, **changes), REGISTRY)
        assert problem.field == "strategy.params.recordings" and words in problem.message
    (problem,) = check(from_files(recordings, episodes, **{"target.dataset": None}), REGISTRY)
    assert problem.field == "target.dataset"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target.hidden_dynamics": None}, "target.hidden_dynamics"),
        ({"strategy.params.fields": ["color"]}, "strategy.params.fields"),
        ({"strategy.params.fields": []}, "strategy.params.fields"),
        ({"strategy.params.fields": ["mass", "mass"]}, "strategy.params.fields"),
        ({"source.embodiment": "franka_7dof"}, "source.embodiment"),
        ({"target.hidden_dynamics": "nowhere.yaml"}, "target.hidden_dynamics"),
    ],
)
def test_what_does_not_fit_is_a_problem_at_its_field(changes: dict[str, Any], field: str) -> None:
    problems = check(plan(**changes), REGISTRY)
    assert [p.field for p in problems] == [field]
    assert problems[0].message and problems[0].remedy
