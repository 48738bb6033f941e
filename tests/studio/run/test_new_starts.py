"""Runs that start from a policy one has, that are lengthened, that keep their best policy, and scores elsewhere."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.cli.main import main
from studio.errors import DataError, ExperimentError
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.evaluate import Evaluation, evaluate
from studio.run.evaluate_run import evaluate_run
from studio.run.score_target import score_target
from studio.run.session import Session
from studio.seeds import selection_seed
from studio.sim.domains import resolve
from studio.store.checkpoint import load_policy
from studio.store.log_reader import read_episodes
from studio.store.runs import read_run
from tests import tiny

REGISTRY = shared_registry()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of LoRA, Franka to UR5e."""
    return tiny.run(tiny.experiment("lora"), tmp_path_factory.mktemp("runs"), REGISTRY).folder


def copied(run: Path, folder: Path) -> Path:
    shutil.copytree(run, folder / run.name)
    return folder / run.name


def onward(checkpoint: Path, **changes: Any) -> Experiment:
    """UR5e, where the run's policy is at home, to the mobile base."""
    whole = {"source.embodiment": "ur5_6dof", "target.embodiment": "bimanual_14dof", "target.randomization": []}
    return tiny.experiment("lora", **whole | {"pretraining.checkpoint": str(checkpoint)} | changes)


def test_lengthened_run_trains_on_from_its_last_state(run: Path, tmp_path: Path) -> None:
    folder = copied(run, tmp_path)
    session = Session.resume(folder, REGISTRY, Channels(), iterations=14)
    published = tiny.listen(session)
    session.run()
    steps = [event.step for event in published() if type(event).__name__ == "MetricsLogged"]
    assert steps == [11, 12, 13, 14] and session.state == "finished"
    assert Experiment.load(folder / "experiment.yaml").budget.iterations == 14
    assert read_run(folder).state == "finished" and [row["step"] for row in session.evaluations] == [14, 14]
    assert (folder / "checkpoints" / "adapt-00000014" / "state.json").exists()


@pytest.mark.parametrize(("asked", "error", "said"), [(None, DataError, "--iterations"), (10, ExperimentError, "10")])
def test_lengthen_refuses_what_is_not_longer(run: Path, asked: int | None, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Session.resume(run, REGISTRY, Channels(), asked)


def test_lengthen_says_when_the_last_state_was_deleted(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copied(run, tmp_path)
    for state in folder.glob("checkpoints/*/state.*"):
        state.unlink()
    assert main(["resume", str(folder), "--iterations", "20"]) == 2
    assert "The run's last training state was deleted, so it cannot be lengthened." in capfd.readouterr().err
    assert Experiment.load(folder / "experiment.yaml").budget.iterations == 10


def test_keep_best_publishes_the_best_by_selection(runs: Path) -> None:
    scored = {"evaluation.every": 4, "evaluation.short_episodes": 3, "evaluation.keep_best": True}
    plan = tiny.experiment("lora", **scored)
    session = tiny.run(plan, runs, REGISTRY)
    best = json.loads((session.folder / "best" / "best.json").read_text())
    assert best["step"] in (4, 8, 10)
    for file in ("policy/policy.safetensors", "adapter/adapter_model.safetensors"):
        assert (session.folder / file).read_bytes() == (session.folder / "best" / file).read_bytes()
    chosen = load_policy(session.folder)
    again = evaluate(chosen, resolve(plan.target, REGISTRY), 3, selection_seed(plan.seed))
    assert again.score == pytest.approx(best["score"])
    seeds = set(read_episodes(session.folder).seed.tolist())
    assert not seeds & {selection_seed(plan.seed) + i for i in range(3)}


PPO = {"simulations": 4, "steps": 16, "minibatch": 16, "epochs": 2, "update": "eager", "physics_threads": 1}
HOPPER = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}


@pytest.mark.parametrize(
    ("strategy", "policy"), [("rl_from_scratch", "gaussian_mlp"), ("rl_fine_tuning", "gaussian_mlp")]
)
def test_reinforcement_is_lengthened_and_keeps_its_best(strategy: str, policy: str, runs: Path) -> None:
    plan = Experiment.from_dict(
        {
            "name": "tiny", "source": HOPPER, "target": HOPPER, "policy": {"id": "gaussian_mlp"},
            "pretraining": {"iterations": 2, "params": PPO}, "strategy": {"id": strategy, "params": PPO},
            "budget": {"iterations": 4, "checkpoint_every": 2, "threads": 1}, "device": "cpu",
            "evaluation": {"episodes": 2, "source_episodes": 1, "every": 2, "short_episodes": 2, "keep_best": True},
        }
    )  # fmt: skip
    session = tiny.run(plan, runs, REGISTRY)
    assert json.loads((session.folder / "best" / "best.json").read_text())["step"] in (0, 2, 4)
    before = [row for row in session.evaluations if not row["final"]]
    longer = Session.resume(session.folder, REGISTRY, Channels(), iterations=6)
    published = tiny.listen(longer)
    longer.run()
    assert [event.step for event in published() if type(event).__name__ == "MetricsLogged"] == [5, 6]
    assert {row["measure"] for row in before} == {"return"}  # a hopper has no success
    assert longer.evaluations[: len(before)] == before
    assert load_policy(session.folder) is not None


def test_final_scores_name_the_step_of_the_best_policy(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A best policy of step 1 of 2 in trials; run.json has the training's last step, by which episodes are found."""
    calls: list[int] = []

    def worse_and_worse(*given: Any, **more: Any) -> list[Evaluation]:
        calls.append(1)
        return [replace(found, score=-float(len(calls))) for found in score_target(*given, **more)]

    monkeypatch.setattr("studio.run.best.score_target", worse_and_worse)
    world = {"embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "state"}
    plan = Experiment.from_dict(
        {
            "name": "tiny", "source": world, "target": world,
            "policy": {"id": "trial_gru", "params": {"width": 16, "hidden": 16}},
            "strategy": {"id": "rl2", "params": PPO | {"steps": 64, "minibatch": 128}},
            "budget": {"iterations": 2, "checkpoint_every": 2, "threads": 1}, "device": "cpu",
            "evaluation": {"episodes": 2, "source_episodes": 0, "every": 1, "short_episodes": 2, "keep_best": True,
                           "shots": [0, 1]},
        }
    )  # fmt: skip
    assert main(["run", str(tiny.write(plan, runs)), "--out", str(runs)]) == 0
    said, folder = capfd.readouterr(), tiny.only_run(runs)
    step = json.loads((folder / "best" / "best.json").read_text())["step"]
    assert step < 2 and f"The best policy is that of step {step} (return -1.000 after 1 shot on" in said.err
    assert [f"target at step {step} after {shots}" in said.out for shots in ("0 episodes", "1 episode")] == [True, True]
    final = [row for row in json.loads((folder / "run.json").read_text())["evaluations"] if row["final"]]
    assert [row["step"] for row in final] == [2, 2]


@pytest.mark.parametrize(
    ("strategy", "variant"), [("rl_from_scratch", "sac"), ("goal_conditioned", "example"), ("darc", "example")]
)
def test_lengthened_off_policy_run_equals_one_that_was_long(strategy: str, variant: str, tmp_path: Path) -> None:
    """The replay buffers are sized by the budget, and no schedule depends on it."""
    example = REGISTRY.get("strategies", strategy).examples()[variant]
    plan = example.changed(**{"budget.iterations": 3, "evaluation.every": 0, "evaluation.episodes": 1})
    short = tiny.run(plan, tmp_path / "short", REGISTRY).folder
    Session.resume(short, REGISTRY, Channels(), iterations=5).run()
    whole = tiny.run(plan.changed(**{"budget.iterations": 5}), tmp_path / "whole", REGISTRY).folder
    tiny.assert_same(short, whole)


def test_keep_best_needs_interim_evaluations() -> None:
    (problem,) = check(tiny.experiment("lora", **{"evaluation.keep_best": True}), REGISTRY)
    assert problem.field == "evaluation.keep_best" and "evaluation.every" in problem.remedy


@pytest.mark.parametrize("part", ["", "policy", "checkpoints/adapt-00000009"])
def test_a_run_starts_from_an_existing_policy(run: Path, part: str, runs: Path) -> None:
    plan = onward(run / part)
    assert check(plan, REGISTRY) == []
    session = tiny.run(plan, runs, REGISTRY)
    wanted = load_policy(run / part).state_dict()
    found = load_policy(session.folder / "base").state_dict()
    assert all(found[name].equal(wanted[name]) for name in wanted if not name.startswith("fingerprint"))
    assert "pretraining.checkpoint" in dict(read_run(session.folder).inputs)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source.embodiment": "franka_7dof"}, "source.embodiment"),
        ({"policy.params": tiny.POLICY | {"width": 32}}, "policy.params.width"),
        ({"source.image_size": 48, "target.image_size": 48}, "source.image_size"),
        ({"pretraining.checkpoint": "nowhere"}, "pretraining.checkpoint"),
    ],
)
def test_an_existing_policy_that_does_not_fit_is_refused(run: Path, changes: dict[str, Any], field: str) -> None:
    assert [problem.field for problem in check(onward(run, **changes), REGISTRY)] == [field]


def test_evaluate_scores_a_policy_on_another_target(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = tiny.experiment("lora", **{"target.randomization": [], "evaluation.episodes": 3, "evaluation.seed": 77})
    assert main(["evaluate", str(run), "--on", str(tiny.write(other, tmp_path)), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    wanted = evaluate(load_policy(run), resolve(other.target, REGISTRY), 3, 77)
    assert found["episodes"] == 3 and found["mean_return"] == pytest.approx(wanted.mean_return)
    assert {"run", "experiment", "task", "embodiment", "seed", "success", "low", "high", "measure"} <= found.keys()


def test_evaluate_refuses_a_target_that_the_policy_does_not_fit(run: Path) -> None:
    with pytest.raises(ExperimentError, match="trained with embodiment ur5_6dof") as caught:
        evaluate_run(run, tiny.experiment("lora", **{"target.embodiment": "franka_7dof"}), REGISTRY)
    assert caught.value.field == "target.embodiment"
