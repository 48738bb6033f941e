"""The advice: which rule applies at which distance, and whether what was measured agrees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.analysis.advice import Figure, advise, differences, nearest, own_figures, shipped_figures
from studio.analysis.advice_text import advice_lines, measured_lines
from studio.cli.main import main
from studio.experiment import Experiment
from studio.registry import Registry

LOOK = [{"field": "light_intensity", "low": 0.5, "high": 1.5}]


def plan(episodes: int = 50, **target: Any) -> Experiment:
    return Experiment().changed(**{"target.episodes": episodes, **{f"target.{k}": v for k, v in target.items()}})


@pytest.mark.parametrize(
    ("experiment", "strategies"),
    [
        (plan(20), ["feature_extraction", "lora"]),
        (plan(50), ["lora"]),
        (plan(2_000, task="push"), ["full_finetuning", "lora"]),
        (plan(2_000), ["lora"]),
        (plan(300, randomization=LOOK), ["lora"]),
    ],
)
def test_advice_follows_episodes_and_distance(experiment: Experiment, strategies: list[str]) -> None:
    assert [rule.strategy for rule in advise(experiment).rules] == strategies


def test_advice_names_what_differs_and_known_strategies() -> None:
    experiment = plan(randomization=[*LOOK, {"field": "mass", "low": 0.5, "high": 2}])
    assert differences(experiment) == ["embodiment", "look", "dynamics"]
    advice = advise(experiment)
    known = {one.id for one in Registry().descriptions("strategies")}
    named = {rule.strategy for rule in advice.rules} | {id for each in advice.helps for id in each.strategies}
    assert advice.is_far and named <= known and [each.difference for each in advice.helps] == differences(experiment)
    assert differences(plan(embodiment="franka_7dof")) == []


def figure(strategy: str, episodes: int, score: float, origin: str = "your runs") -> Figure:
    return Figure(strategy, episodes, 3, score, score - 0.05, score + 0.05, "success", origin, True)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ([("lora", 0.8), ("full_finetuning", 0.5)], "the best of what was run"),
        ([("lora", 0.5), ("full_finetuning", 0.8)], "here the rule does not hold"),
        ([("lora", 0.75), ("full_finetuning", 0.8)], "the intervals overlap"),
        ([("full_finetuning", 0.8)], "lora was not run"),
        ([], "Nothing has been measured"),
    ],
)
def test_advice_says_whether_figures_agree(figures: list[tuple[str, float]], words: str) -> None:
    advice = advise(plan(), [figure(strategy, 50, score) for strategy, score in figures])
    (line,) = measured_lines(advice)
    assert words in line and line in advice_lines(advice)


def test_advice_takes_figures_of_the_nearest_episodes() -> None:
    found = nearest([figure("lora", 20, 0.6), figure("lora", 100, 0.9), figure("x", 100, 0.95)], 60)
    assert [each.strategy for each in found] == ["x", "lora"]


def test_advice_reads_tables_and_passes_over_other_files(tmp_path: Path) -> None:
    row = {"strategy": "lora", "episodes": 50, "success": 0.5, "low": 0.4, "high": 0.6, "target": "reach on ur5_6dof"}
    (tmp_path / "mine.json").write_text(json.dumps({"rows": [row, {"id": "speed", "value": 1}]}))
    (tmp_path / "other.json").write_text(json.dumps([row | {"target": "push on ur5_6dof"}]))
    (tmp_path / "tried.json").write_text(json.dumps({"rows": "none"}))
    (found,) = shipped_figures(plan(), [tmp_path, tmp_path / "missing"])
    assert (found.origin, found.same, found.seeds) == ("mine", True, 1)
    assert own_figures(plan(), tmp_path) == []


def test_advise_command_prints_the_recommendation(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(plan(20).to_yaml())
    assert main(["advise", str(tmp_path / "e.yaml"), "--out", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["strategy"], found["episodes"], found["is_far"]) == ("feature_extraction", 20, False)
