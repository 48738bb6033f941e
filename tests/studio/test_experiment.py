"""Experiment: YAML in and out, and what it says of wrong input."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from studio.errors import ExperimentError
from studio.experiment import Domain, Experiment, RandomizationTerm
from studio.experiment.randomization import PRESETS
from studio.experiment.short_form import fields_by_short_name
from studio.paths import assets


def refused(text: str, *overrides: str) -> ExperimentError:
    with pytest.raises(ExperimentError) as caught:
        Experiment.from_yaml(text, overrides, "file.yaml")
    assert caught.value.message.endswith("."), "a plain sentence"
    return caught.value


def test_yaml_round_trip_keeps_everything(experiment: Experiment) -> None:
    changed = experiment.changed(
        **{
            "target.dataset": "/data/some.hdf5",
            "target.randomization": [{"field": "friction", "low": 0.5, "high": 1.5, "probability": 0.5}],
            "description": "Umlaute und 中文",
            "strategy": {"id": "lora", "params": {"rank": 4}},
        }
    )
    again = Experiment.from_yaml(changed.to_yaml())
    assert again == changed
    assert again.target.randomization[0].probability == 0.5
    assert again.target.dataset == Path("/data/some.hdf5")


@pytest.mark.parametrize("file", sorted((assets() / "experiments").glob("*.yaml")), ids=lambda f: f.name)
def test_shipped_experiments_are_valid(file: Path) -> None:
    plan = Experiment.load(file)
    assert Experiment.from_yaml(plan.to_yaml()) == plan


def test_written_yaml_is_complete_with_defaults(experiment: Experiment) -> None:
    raw = yaml.safe_load(experiment.to_yaml())
    assert set(raw) == set(fields_by_short_name(Experiment))
    assert set(raw["target"]) == set(fields_by_short_name(Domain))


@pytest.mark.parametrize(
    ("text", "field", "remedy"),
    [
        ("buget: {}", "buget", "Did you mean 'budget'?"),
        ("target: {emboddiment: x}", "target.emboddiment", "Did you mean 'embodiment'?"),
        ("strategy: {id: lora, weight: 3}", "strategy.weight", "Did you mean 'params.weight'?"),
        ("qqqq: 1", "qqqq", "Remove it."),
        ("budget: {iterations: 0}", "budget.iterations", "It must be at least 1."),
        ("pretraining: {learning_rate: 0}", "pretraining.learning_rate", "It must be above 0."),
        ("target: {image_size: 1000}", "target.image_size", "It must be at most 256."),
        ("device: tpu", "device", "Choose 'auto', 'cpu' or 'cuda'."),
        ("name: 'a/b'", "name", ""),
        ("seed: many", "seed", ""),
        ("seed: 2000000001", "seed", "It must be at most 2,000,000,000."),
        ("pretraining: {seed: 4000000000}", "pretraining.seed", "It must be at most 2,000,000,000."),
        ("evaluation: {seed: 4000000000}", "evaluation.seed", "It must be at most 2,000,000,000."),
        ("evaluation: {shots: -1}", "evaluation.shots", "Each must be from 0 to 100."),
        ("target: {randomization: [{field: mass, low: .nan}]}", "target.randomization.0.low", ""),
        ("target: {randomization: [{field: mass, high: .inf}]}", "target.randomization.0.high", ""),
        (
            "target: {randomization: [{field: mass, low: -1}]}",
            "target.randomization.0.low",
            "Raise the lower end above 0.",
        ),
    ],
)
def test_wrong_values_name_the_field_and_the_remedy(text: str, field: str, remedy: str) -> None:
    error = refused(text)
    assert error.field == field
    assert error.remedy
    assert error.remedy == remedy or not remedy


def test_reversed_range() -> None:
    error = refused("target: {randomization: [{field: friction, low: 1.5, high: 0.5}]}")
    assert error.field == "target.randomization.0.high"
    assert error.message == "The range 1.5 to 0.5 is reversed."
    assert error.remedy == "Put the smaller value first."


def test_several_faults_are_all_named() -> None:
    error = refused("budget: {iterations: 0}\nseed: -1")
    assert error.field == "budget.iterations"
    assert "seed" in error.remedy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "The file is not valid YAML at line 1."),
        ("name: a\nseed: 1\nname: b", "'name' appears twice, the second time on line 3."),
        ("name: a\nbudget: {threads: 1, threads: 2}", "'threads' appears twice, the second time on line 2."),
        ("? [a]\n: 1", "The file is not valid YAML at line 1."),
        ("- 1\n- 2", "The file holds no experiment."),
        ("", "The file holds no experiment."),
        ("name: !!python/object/apply:os.system [true]", "The file is not valid YAML at line 1."),
    ],
)
def test_what_is_no_experiment(text: str, message: str) -> None:
    error = refused(text)
    assert (error.message, error.field) == (message, "file.yaml")
    assert error.remedy


def test_missing_file_and_file_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="does not exist"):
        Experiment.load(tmp_path / "none.yaml")
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ExperimentError, match="not text"):
        Experiment.load(tmp_path / "picture.yaml")


def test_set_changes_nested_values_of_any_type() -> None:
    plan = Experiment.from_yaml(
        "name: x", ["target.episodes=7", "strategy.params={rank: 4}", "comparison.seeds=[0, 1]", "device=cpu"]
    )
    assert (plan.target.episodes, plan.strategy.params, plan.comparison.seeds, plan.device) == (
        7,
        {"rank": 4},
        [0, 1],
        "cpu",
    )


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ("target.episodes", "--set"),
        ("target.episodes=[", "target.episodes"),
        ("target.episods=3", "target.episods"),
        ("name.first=3", "name.first"),
        ("target.episodes=0", "target.episodes"),
    ],
)
def test_wrong_set(override: str, field: str) -> None:
    assert refused("name: x", override).field == field


def test_a_file_of_a_newer_program_is_refused() -> None:
    error = refused("version: 3")
    assert error.field == "version"
    assert "version 3" in error.message and "up to 2" in error.message
    assert error.remedy == "Update Transfer Studio."


def test_file_without_a_version_is_of_the_first_format() -> None:
    old = "strategy: {params: {goals: dreamt}}"
    assert Experiment.from_yaml(old) == Experiment.from_yaml(f"version: 1\n{old}")
    assert Experiment.from_yaml(old).version == 2


@pytest.mark.parametrize("version", [1, 2])
def test_earlier_value_of_a_parameter_is_read_and_hashed_alike(version: int) -> None:
    old = Experiment.from_yaml(f"version: {version}\nstrategy: {{id: rl_fine_tuning, params: {{normalization: anew}}}}")
    assert old.strategy.params["normalization"] == "reset"
    # computed by the version that still called the setting "anew"
    assert old.content_hash() == "dc5b639398baca71f54e86190a3458e4dd708e1a409826c88fe0c576065753b0"


@pytest.mark.parametrize("change", [{"name": "other"}, {"description": "words"}, {"comparison.seeds": [1, 2]}])
def test_content_hash_ignores_what_does_not_change_the_result(experiment: Experiment, change: dict[str, Any]) -> None:
    assert experiment.changed(**change).content_hash() == experiment.content_hash()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"target.episodes": 9},
        {"strategy.params": {"rank": 3}},
        {"budget.iterations": 11},
        {"evaluation.seed": 1},
    ],
)
def test_content_hash_sees_what_does(experiment: Experiment, change: dict[str, Any]) -> None:
    assert experiment.changed(**change).content_hash() != experiment.content_hash()


def test_every_setting_can_be_shown_in_a_form() -> None:
    waiting: list[Any] = [Experiment]
    while waiting:
        model = waiting.pop()
        for name, field in model.model_fields.items():
            assert field.title and field.description, f"{model.__name__}.{name}"
            assert "unit" in (field.json_schema_extra or {}), f"{model.__name__}.{name}"
            if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
                waiting.append(field.annotation)


def test_assignment_is_checked() -> None:
    plan = Experiment()
    with pytest.raises(ValueError):
        plan.budget.iterations = 0
    with pytest.raises(ValueError):
        plan.pretraining.learning_rate = math.nan


def test_heading_is_the_title_or_the_name_in_words() -> None:
    assert Experiment(name="darc_wall").heading == "darc wall"
    titled = Experiment(name="darc_wall", title="DARC: a wall in the way")
    assert titled.heading == "DARC: a wall in the way"
    assert titled.content_hash() == Experiment(name="darc_wall").content_hash(), "a title changes no result"


def test_a_preset_stands_for_its_terms() -> None:
    for name, (_, _, terms) in PRESETS.items():
        found = Experiment.from_yaml(f"target: {{randomization: {name}}}").target.randomization
        assert [term.key for term in found] == [RandomizationTerm(**term).key for term in terms]
    preset = Experiment.from_yaml("name: x", ["target.randomization=preset"])
    assert len(preset.target.randomization) == 10
    assert Experiment.from_yaml(preset.to_yaml()) == preset
    for name in ("standard", "document"):  # the second is what earlier versions called it
        assert Experiment.from_yaml("name: x", [f"target.randomization={name}"]) == preset
    assert Experiment.from_yaml("target: {randomization: off}").target.randomization == []
    shipped = Experiment.load(assets() / "experiments" / "randomized.yaml")
    assert shipped.target.randomization == shipped.source.randomization == preset.target.randomization


@pytest.mark.parametrize(
    ("override", "remedy"),
    [
        ("target.episodes=many", "Give a whole number."),
        ("target.episodes=2.5", "Give a whole number."),
        ("evaluation=5", "Give names with values."),
        ("name=[1]", "Give a text."),
        ("comparison.seeds=3", "Give a list of whole numbers, such as [0, 1]."),
        ("evaluation.shots=three", "Give a list of whole numbers, such as [0, 1]."),
        ("comparison.strategies=lora", "Give a list of names, such as [one, two]."),
        ("pretraining.learning_rate=.nan", "Give a finite number."),
        ("target.dataset=3", "Give a path."),
    ],
)
def test_a_value_of_another_kind_is_told_what_is_wanted(override: str, remedy: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(Experiment().to_yaml(), encoding="utf-8")
    with pytest.raises(ExperimentError) as caught:
        Experiment.load(file, [override])
    assert "does not fit" in caught.value.message and caught.value.remedy == remedy


@pytest.mark.parametrize(
    ("text", "field", "message", "remedy"),
    [
        ("evaluation: {shots: [[0, 1]]}", "evaluation.shots.0", "[0, 1] does not fit.", "Give a whole number."),
        (
            "evaluation: {shots: [0, true]}",
            "evaluation.shots",
            "[0, true] does not fit.",
            "Give a list of whole numbers",
        ),
        ("evaluation: {shots: [true]}", "evaluation.shots", "[true] does not fit.", "Give a list of whole numbers"),
        ("target: {episodes: true}", "target.episodes", "true does not fit.", "Give a whole number."),
        ("target: {contexts: [0.1]}", "target.contexts.0", "0.1 does not fit.", "Give a list of numbers, such as"),
        ("target: {contexts: 0.1}", "target.contexts", "0.1 does not fit.", "Give a list of lists of numbers, such as"),
        (
            "target: {camera: [a, b]}",
            "target.camera",
            '["a", "b"] does not fit.',
            "Give a text, or a list as 'cam",
        ),
    ],
)
def test_what_is_no_list_of_numbers_is_named_and_told_of_what(text: str, field: str, message: str, remedy: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment.from_yaml(text)
    assert (caught.value.field, caught.value.message) == (field, message)
    assert caught.value.remedy.startswith(remedy)


def test_earlier_names_are_read_and_hashed() -> None:
    """Files of before say ``moment`` and ``stand_in``; their hashes stay."""
    term = {"field": "mass", "low": 0.5, "high": 1.5}
    old = Domain.model_validate({"stand_in": "heavy", "randomization": [term | {"moment": "once"}]})
    new = Domain.model_validate({"hidden_dynamics": "heavy", "randomization": [term | {"resample": "once"}]})
    assert old == new and old.randomization[0].resample == "once"
    assert new.cache_key()["randomization"][0]["moment"] == "once"
    written = Experiment(target=new).to_yaml()
    assert "resample: once" in written and "hidden_dynamics: heavy" in written
    with pytest.raises(ValidationError, match="moment"):
        RandomizationTerm.model_validate(term | {"moment": "once", "resample": "reset"})
