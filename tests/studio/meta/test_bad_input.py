"""What no meta-learner can do anything with is a plain problem before the start, at its field and with a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from studio.contracts import Problem
from studio.errors import StudioError
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.rng import EpisodeRng
from studio.run.check import check
from studio.sim.domains import resolve

META = {id: kind for id, kind in shared_registry().all("strategies").items() if "meta-learning" in kind.tags}
# what is 0: the setting in the strategies that have it
ZERO = (
    "inner_steps", "support", "support_episodes", "query", "episodes", "tasks", "meta_batch", "trial", "context",
    "training_tasks", "task_batch",
)  # fmt: skip
ZEROS = [(id, name) for id, kind in META.items() for name in ZERO if name in kind.Params.model_fields]
FAMILY = [id for id, kind in META.items() if kind.requires.task_family]


def problems(id: str, changes: Mapping[str, Any]) -> list[Problem]:
    """Return what the user reads: the problems found, or the one that keeps the experiment from being read."""
    try:
        plan: Experiment = META[id].examples()["example"].changed(**changes)
    except StudioError as error:
        return [Problem(error.field, error.message, error.remedy)]
    return check(plan, shared_registry())


@pytest.mark.parametrize(("id", "name"), ZEROS)
def test_none_of_what_is_adapted_to_is_a_problem(id: str, name: str) -> None:
    (found,) = problems(id, {f"strategy.params.{name}": 0})
    assert found.field == f"strategy.params.{name}"
    assert found.message == "0 is out of range." and found.remedy.startswith("It must be at least ")


@pytest.mark.parametrize("id", FAMILY)
@pytest.mark.parametrize("copies", [1, 2])
def test_a_family_with_one_task_is_a_problem(id: str, copies: int) -> None:
    source = META[id].examples()["example"].source
    task = shared_registry().get("tasks", source.task, "task")()
    (context,) = task.family(EpisodeRng(np.array([1]))).tolist()
    (found,) = problems(id, {"source.contexts": [context] * copies})
    assert found.field == "source.contexts" and "only one task to learn" in found.message
    assert found.remedy == "Give several that differ, or none for the whole family."


@pytest.mark.parametrize(
    ("id", "entry", "ignored", "words"),
    [
        ("pearl", "state", ["nonsense"], "no entry 'nonsense'"),
        ("pearl", "state", ["state"], "would observe nothing"),
        ("pearl", "goal", ["state"], "would observe nothing"),  # the goal is hidden from it
        ("pearl", "goal", ["goal"], ""),
        ("maml", "state", ["goal"], ""),  # as it does by default
        ("maml", "state", ["goal", "state"], "would observe nothing"),
        ("dpt", "state", ["state"], ""),  # it reads what was chosen and what it earned
    ],
)
def test_a_meta_policy_ignores_entries_that_there_are_and_not_all(
    id: str, entry: str, ignored: list[str], words: str
) -> None:
    observed = {f"{role}.observation": entry for role in ("source", "target")}
    found = problems(id, {**observed, "policy.params.ignored": ignored})
    assert [p.field for p in found] == ["policy.params.ignored"] * bool(words)
    assert all(words in p.message for p in found)


@pytest.mark.parametrize("id", META)
@pytest.mark.parametrize(
    ("shots", "words"),
    [([], "Give at least one entry."), ([-1], "from 0 to 100"), ([101], "from 0 to 100")],
)
def test_impossible_shots_are_a_problem(id: str, shots: list[int], words: str) -> None:
    (found,) = problems(id, {"evaluation.shots": shots})
    assert found.field == "evaluation.shots" and words in found.remedy


@pytest.mark.parametrize("id", ["rl2", "snail", "dpt"])
def test_shots_beyond_the_trials_of_the_training_are_a_problem(id: str) -> None:
    assert problems(id, {"evaluation.shots": [0, 1], "strategy.params.trial": 2}) == []
    (found,) = problems(id, {"evaluation.shots": [0, 2], "strategy.params.trial": 2})
    assert found.field == "evaluation.shots" and "acts in episode 3 of a trial; it is trained on 2." in found.message
    assert found.remedy == "Ask for at most 1 shot, or set strategy.params.trial to 3."


def test_more_shots_than_the_target_has_episodes_are_a_problem() -> None:
    (found,) = problems("few_shot", {"evaluation.shots": [3]})
    assert found.field == "evaluation.shots" and "adapted to 3 episodes, and the target has 2" in found.message


def test_a_task_that_is_no_family_is_a_problem() -> None:
    cheetah = {"embodiment": "half_cheetah", "task": "half_cheetah", "control": "motor", "observation": "state"}
    for id in FAMILY:
        found = problems(id, {"source": cheetah, "target": cheetah, "evaluation.held_out": "none"})
        assert "source.task" in [problem.field for problem in found], id
        assert all(problem.remedy for problem in found)


@pytest.mark.parametrize("id", ["trial_gru", "trial_hypernetwork", "trial_fast_weights", "trial_snail"])
def test_a_cell_where_the_memory_has_none_is_a_problem(id: str) -> None:
    strategy = "snail" if id == "trial_snail" else "rl2"
    found = problems(strategy, {"policy.id": id, "policy.params": {"cell": "lstm"}, "evaluation.shots": [0]})
    has_cell = id in ("trial_gru", "trial_hypernetwork")
    assert [problem.field for problem in found] == ([] if has_cell else ["policy.params.cell"])


def test_a_setting_that_pearl_does_not_read_is_a_problem() -> None:
    assert problems("pearl", {"strategy.params.samples": 1000}) == []  # as files of before have it
    (found,) = problems("pearl", {"strategy.params.samples": 500})
    assert found.field == "strategy.params.samples" and "has no effect" in found.message


def test_pearl_that_ends_before_it_learns_is_a_problem() -> None:
    steps = 8 * 4 * (2 + 1) * 20  # iterations, simulations, episodes of a trial, horizon
    assert problems("pearl", {"strategy.params.learning_starts": steps - 1}) == []
    (found,) = problems("pearl", {"strategy.params.learning_starts": steps})
    assert found.field == "strategy.params.learning_starts" and f"only {steps} steps" in found.message


@pytest.mark.parametrize(("params", "words"), [({"heads": 5}, "cannot be divided among 5 heads"), ({"heads": "x"}, "")])
def test_heads_that_do_not_divide_a_transformers_width_are_a_problem(params: dict[str, Any], words: str) -> None:
    (found,) = problems("dpt", {"policy.params": params})
    assert found.field == "policy.params.heads" and words in found.message and found.remedy


@pytest.mark.parametrize(("id", "name"), [("maml", "support"), ("hypernetwork", "query")])
def test_examples_that_do_not_show_each_class_are_a_problem(id: str, name: str) -> None:
    digits = {"embodiment": "reader", "task": "digit_classes", "control": "discrete", "camera": "eye"}
    fitting = {"source": digits, "target": digits, "strategy.params.support": 5, "strategy.params.query": 10}

    def of_strategy(**changes: int) -> list[Problem]:  # alone: the images may not be installed
        plan = META[id].examples()["example"].changed(**{**fitting, **changes})
        strategy = META[id](META[id].Params(**plan.strategy.params))
        found: list[Problem] = strategy.check_domains(plan, {"source": resolve(plan.source, shared_registry())})
        return found

    assert of_strategy() == []
    (found,) = of_strategy(**{f"strategy.params.{name}": 7})
    assert found.field == f"strategy.params.{name}" and "classes" in found.message and found.remedy


@pytest.mark.parametrize(
    ("policy", "name", "value", "source"),
    [("gradient_mlp", "advantage_scale", "family", "examples"), ("task_mlp", "query", 7, "rewards")],
)
def test_a_setting_of_the_other_way_to_learn_is_a_problem_of_maml(
    policy: str, name: str, value: Any, source: str
) -> None:
    plans = [plan for plan in META["maml"].examples().values() if plan.policy.id == policy]
    for plan in plans:
        (found,) = check(plan.changed(**{f"strategy.params.{name}": value}), shared_registry())
        assert found.field == f"strategy.params.{name}" and f"learns from {source}" in found.message
    assert plans


@pytest.mark.parametrize(("id", "name"), [("maml", "gradient_mlp"), ("pearl", "latent_mlp")])
def test_without_a_compiler_no_factor_is_promised_that_another_learner_has(
    id: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    plans = [plan for plan in META[id].examples().values() if plan.policy.id == name]
    (found,) = check(plans[0].changed(**{"strategy.params.update": "compiled"}), shared_registry())
    assert found.field == "strategy.params.update"
    assert found.remedy == "Install one (g++), or choose eager, which is slower."


@pytest.mark.parametrize(("name", "value"), [("advantage_scale", "family"), ("estimator", "dice")])
def test_a_setting_of_the_policys_inner_loop_is_a_problem_of_maesn_that_adapts_the_latent_alone(
    name: str, value: str
) -> None:
    changes = {f"strategy.params.{name}": value}
    assert problems("maesn", {**changes, "strategy.params.adapt_policy": True}) == []
    (found,) = problems("maesn", changes)
    assert found.field == f"strategy.params.{name}" and "has no effect" in found.message and found.remedy


@pytest.mark.parametrize("id", ["maml", "maesn"])
def test_a_best_policy_that_is_chosen_before_the_shots_that_it_is_scored_after_is_a_problem(id: str) -> None:
    *_, plan = META[id].examples().values()  # of MAML that from rewards
    best = {"evaluation.every": 4, "evaluation.keep_best": True, "evaluation.held_out": "none"}
    assert check(plan.changed(**best, **{"evaluation.shots": [0]}), shared_registry()) == []
    (found,) = check(plan.changed(**best, **{"evaluation.shots": [0, 1]}), shared_registry())
    assert found.field == "evaluation.keep_best" and "before any shot" in found.message and found.remedy


def test_a_best_policy_that_is_chosen_on_the_tasks_of_the_score_is_a_problem() -> None:
    best = {"evaluation.every": 4, "evaluation.keep_best": True}
    assert problems("pearl", {**best, "evaluation.held_out": "outside"}) == []  # drawn: others for each
    (found,) = problems("pearl", {**best, "evaluation.held_out": "inside"})  # the goals that the half circle keeps
    assert found.field == "evaluation.keep_best" and "keeps no tasks" in found.message and found.remedy
