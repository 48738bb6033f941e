"""Lists that may be written as their only entry."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from studio.errors import ExperimentError
from studio.experiment import Domain, Experiment

TWO = "sources: [{task: reach}, {task: push}]"


def test_short_and_long_form_are_the_same_experiment() -> None:
    short = "source: {camera: top, observation: goal, dataset: a.hdf5}"
    long = "sources: [{cameras: [top], observation: [goal], datasets: [a.hdf5]}]"
    assert Experiment.from_yaml(short) == Experiment.from_yaml(long)
    assert Experiment.from_yaml(short).content_hash() == Experiment.from_yaml(long).content_hash()


def test_first_entries_are_properties() -> None:
    plan = Experiment.from_yaml(TWO)
    assert (plan.source.task, len(plan.sources)) == ("reach", 2)
    domain = Domain(cameras=["top", "front"], datasets=[Path("a"), Path("b")], observation=["goal"])
    assert (domain.camera, domain.dataset, domain.observation_kind) == ("top", Path("a"), "goal")
    assert domain.observes("goal") and not domain.observes("image") and Domain().dataset is None


def test_file_is_written_in_the_short_form() -> None:
    raw = yaml.safe_load(Experiment().to_yaml())
    assert (raw["version"], raw["source"]["camera"], raw["source"]["dataset"]) == (2, "front", None)
    two = yaml.safe_load(Experiment.from_yaml(TWO).to_yaml())
    assert "source" not in two and [domain["task"] for domain in two["sources"]] == ["reach", "push"]
    assert Experiment.from_yaml(yaml.safe_dump(two)) == Experiment.from_yaml(TWO)


def test_dotted_names_are_short_or_long() -> None:
    plan = Experiment.from_yaml(TWO, ["source.camera=top", "sources.1.episodes=7", "target.dataset=a.hdf5"])
    assert (plan.source.cameras, plan.sources[1].episodes, plan.target.datasets) == (["top"], 7, [Path("a.hdf5")])
    changed = plan.changed(**{"source.cameras": ["a", "b"], "target.dataset": None, "target.observation": "state"})
    assert (changed.source.cameras, changed.target.datasets) == (["a", "b"], [])
    assert changed.target.observation == ["state"] and changed.sources[1] == plan.sources[1]


def test_field_assignment_is_checked() -> None:
    domain = Domain()
    domain.cameras = ["top"]
    domain.episodes = 3
    assert (domain.camera, domain.episodes) == ("top", 3)


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("target: {camera: a, cameras: [b]}", "target", "are the same setting"),
        ("source: {}\nsources: []", "", "are the same setting"),
        ("sources: []", "sources", "[] is too short a list"),
        ("target: {observation: sound}", "target.observation", "not a choice"),
        ("source: {image_size: 1}", "source.image_size", "out of range"),
        ("sources: [{}, {image_size: 1}]", "sources.1.image_size", "out of range"),
        ("target: {cameras: [top, top]}", "target.cameras", "listed twice"),
        ("source: {camra: top}", "source.camra", "no such setting"),
    ],
)
def test_wrong_lists_are_refused_at_their_field(text: str, field: str, words: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment.from_yaml(text)
    assert caught.value.field == field and words in caught.value.message


def test_shots_may_be_one_number_or_several() -> None:
    for text, shots in {"shots: 2": [2], "shots: [0, 1]": [0, 1], "every: 0": [0]}.items():
        plan = Experiment.from_yaml(f"evaluation: {{{text}}}")
        assert plan.evaluation.shots == shots and Experiment.from_yaml(plan.to_yaml()) == plan
