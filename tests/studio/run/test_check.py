"""What a check says of domains that do not fit their task, their model, or their strategy."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from studio.contracts import Problem
from studio.experiment import Domain, Experiment, Selection
from studio.registry import Registry
from studio.run.check import check
from studio.run.check_domain import compiled_model
from tests import tiny


@functools.cache
def registry() -> Registry:
    return Registry()


def found(strategy: str = "lora", **target: Any) -> dict[str, Problem]:
    experiment = Experiment(target=Domain(**target), strategy=Selection(id=strategy))
    return {p.field: p for p in check(experiment, registry())}


def test_controls_and_observations_that_a_task_has_not_are_named_with_those_it_has() -> None:
    problems = found(task="push", control="motor", observation="state")
    assert "motor" in problems["target.control"].message and "joint" in problems["target.control"].remedy
    assert "goal" in problems["target.observation"].remedy
    assert "target.control" not in found(task="push", control="joint")


def test_the_source_is_checked_too() -> None:
    experiment = Experiment(source=Domain(task="pick_place", embodiment="mobile_3dof", camera="top"))
    assert [p.field for p in check(experiment, registry())] == ["source.embodiment"]


def test_a_task_without_an_expert_needs_a_dataset_or_another_strategy() -> None:
    body = {"task": "half_cheetah", "embodiment": "half_cheetah", "control": "motor", "observation": "state"}
    problem = found("from_scratch", **body)["target.dataset"]
    assert "expert" in problem.message and "dataset" in problem.remedy


@pytest.mark.parametrize(
    ("seed", "role"),
    [(999_800, ""), (999_801, "source"), (1_999_999, "source"), (2_000_000, ""), (8_500_000, "target")],
)
def test_a_policy_is_not_scored_on_episodes_that_taught_it(seed: int, role: str) -> None:
    plan = Experiment(seed=7, strategy=Selection(id="lora")).changed(**{"evaluation.seed": seed})
    problems = [p for p in check(plan, registry()) if p.field == "evaluation.seed"]
    assert len(problems) == bool(role) and all(role in p.message and "999,800" in p.remedy for p in problems)
    body = {"task": "half_cheetah", "embodiment": "half_cheetah", "control": "motor", "observation": "state"}
    plan = plan.changed(source=body, target=body, policy={"id": "gaussian_mlp"}, strategy={"id": "rl_from_scratch"})
    assert check(plan, registry()) == []


@pytest.mark.parametrize(
    "term,field,known",
    [
        ({"field": "friction", "low": 0.5, "high": 2, "parts": "cube"}, "target.randomization.0.parts", "table_top"),
        ({"field": "mass", "low": 0.5, "high": 2, "parts": "cube"}, "target.randomization.0.parts", "link1"),
    ],
)
def test_terms_are_held_against_the_model_with_the_tasks_bodies(term: dict, field: str, known: str) -> None:
    problem = found(task="push", randomization=[term])[field]
    assert "cube" in problem.message and known in problem.remedy
    assert not found(task="push", randomization=[term | {"parts": "block"}])


def test_the_model_is_compiled_once_for_many_checks() -> None:
    compiled_model.cache_clear()
    for _ in range(5):
        found(task="push", randomization=[{"field": "mass", "low": 0.5, "high": 2, "parts": "block"}])
    assert compiled_model.cache_info().misses == 1


def test_a_missing_model_is_reported_once() -> None:
    term = {"field": "mass", "low": 0.5, "high": 2}
    experiment = Experiment(target=Domain(task="push", embodiment="/nowhere.xml", randomization=[term]))
    assert [p.field for p in check(experiment, registry())] == ["target.embodiment"]


def test_a_dataset_stands_in_for_the_expert(tmp_path: Any) -> None:
    body = {"task": "half_cheetah", "embodiment": "half_cheetah", "control": "motor", "observation": "state"}
    problem = found("from_scratch", **body, dataset=str(tmp_path / "none.hdf5"))["target.dataset"]
    assert "expert" not in problem.message and "does not exist" in problem.message


def test_sizes_of_images_matter_where_both_see_images() -> None:
    unlike = {"image_size": 32}
    assert found(**unlike)["target.image_size"].message == "Source and target images differ in size."
    assert "target.image_size" not in found(**unlike, observation="goal")


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (
            {"strategy.id": "dann", "sources": [{"episodes": 3, "image_size": 32}] * 2},
            "source",
            "learns from one source, and there are 2",
        ),
        ({"policy.id": "gaussian_mlp", "target.observation": ["image", "goal"]}, "target.observation", "one of image"),
        ({"policy.id": "gaussian_mlp", "source.cameras": ["front", "top"]}, "source.camera", "2 cameras"),
        ({"source.cameras": ["front", "top"]}, "target.camera", "different cameras"),
        ({"target.cameras": ["front", "rear"]}, "target.camera", "no camera 'rear'"),
        ({"evaluation.shots": [0, 5]}, "evaluation.shots", "keeps no memory"),
        ({"evaluation.held_out": "inside"}, "evaluation.held_out", "not a task family"),
    ],
)
def test_unsupported_setting_is_a_problem(change: dict[str, Any], field: str, words: str) -> None:
    problems = check(tiny.experiment(**change), registry())
    assert [p for p in problems if p.field == field and words in p.message and p.remedy]


@pytest.mark.parametrize("strategy", ["lora", "full_finetuning"])
@pytest.mark.parametrize("policy", ["gaussian_mlp", "gradient_mlp", "latent_mlp", "trial_transformer"])
def test_cloning_asks_for_a_policy_that_can_be_cloned(strategy: str, policy: str) -> None:
    pen = {"embodiment": "pen", "task": "sinusoid", "control": "motor", "observation": "state"}
    problems = check(Experiment(source=pen, target=pen, strategy={"id": strategy}, policy={"id": policy}), registry())
    (remedy,) = [p.remedy for p in problems if p.field == "policy.id" and "behavior cloning" in p.message]
    cloned = {"token_transformer", "mlp", "huggingface_vlm", "image_classifier"}
    assert {*remedy.removeprefix("Choose ").rstrip(".").split(" or ")} == cloned
