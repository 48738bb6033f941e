"""The preflight of an experiment and of a run, and its command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from studio.cli.main import main
from studio.contracts import Episodes
from studio.data.datasets import cache_path, demonstrations
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.run.preflight import preflight, preflight_run, reproduced
from studio.sim.domains import resolve
from tests import tiny


class Recorded:
    """A policy that gives recorded actions, each component times a factor."""

    def __init__(self, actions: np.ndarray, factors: list[float]) -> None:
        self.actions = actions * factors

    def act(self, observation: dict[str, np.ndarray], memory: object = None) -> tuple[np.ndarray, object]:
        return self.actions[observation["row"]], memory


@pytest.mark.parametrize("factors, state", [([1, 1], "ok"), ([1, -1], "problem"), ([0.05, 0.05], "problem")])
def test_predicted_against_recorded(factors: list[float], state: str) -> None:
    actions = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    episodes = Episodes({"row": np.arange(50)}, actions, np.array([50]))
    result = reproduced(Recorded(actions, factors), episodes, trained=True)  # type: ignore[arg-type]
    assert result.state == state
    assert reproduced(Recorded(actions, factors), episodes, trained=False).state == "ok"  # type: ignore[arg-type]


def test_preflight_sees_recordings_adapter_and_run(runs: Path) -> None:
    plan = tiny.experiment("lora")
    folder = tiny.run(plan, runs, shared_registry()).folder
    results = {r.check: r for r in preflight(plan, shared_registry())}
    assert results["Experiment"].state == results["target: Actions against motion"].state == "ok"
    assert "changes the actions by up to" in results["Trainable parameters"].message
    (*_, last) = preflight_run(folder, shared_registry())
    assert last.check == "Predicted against recorded" and "After training" in last.message


def test_experiment_with_a_problem_goes_no_further() -> None:
    (result,) = preflight(tiny.experiment(**{"target.cameras": ["nowhere"]}), shared_registry())
    assert result.state == "problem" and "nowhere" in result.message


def test_command_writes_what_can_be_fixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dataset of 32 px images, where the experiment asks for 48 px and more episodes than there are."""
    target, seed = resolve(tiny.experiment().target, shared_registry()), tiny.experiment().seed
    demonstrations(target, seed)
    kept = cache_path(target, seed)
    changes = {"target.dataset": str(kept), "target.image_size": 48, "target.episodes": 9}
    plan = tiny.write(tiny.experiment("from_scratch", **changes), tmp_path)
    fixed = tmp_path / "fixed.yaml"
    assert main(["preflight", str(plan), "--write", str(fixed), "--json"]) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert {name for check in checks for name in check["changes"]} == {"target.image_size", "target.episodes"}
    assert main(["preflight", str(fixed)]) == 0
    target = Experiment.load(fixed).target
    assert (target.image_size, target.episodes) == (32, 2)
