"""Dotted places of an experiment, as error messages print them and ``--set`` takes them."""

from __future__ import annotations

import pytest

from studio.errors import ExperimentError
from studio.experiment import Experiment
from tests import tiny

TERMS = "{randomization: [{field: friction, low: 0.5, high: 1.5}, {field: mass, low: 0.9, high: 1.1}]}"


def test_an_item_of_a_list_is_set_by_its_index() -> None:
    plan = Experiment.from_yaml(f"source: {TERMS}", ["source.randomization.1.observed=true"])
    assert [term.observed for term in plan.source.randomization] == [False, True]
    plan = Experiment.from_yaml(f"target: {TERMS}", ["target.randomization.0={field: damping, low: 0.5, high: 1.5}"])
    assert [term.field for term in plan.target.randomization] == ["damping", "mass"]
    assert plan.changed(**{"target.randomization.0.low": 0.7}).target.randomization[0].low == 0.7


def test_the_place_that_an_error_names_can_be_set() -> None:
    text = f"target: {TERMS}"
    with pytest.raises(ExperimentError) as caught:
        Experiment.from_yaml(text, ["target.randomization.1.low=-1"])
    assert caught.value.field == "target.randomization.1.low"
    assert Experiment.from_yaml(text, [f"{caught.value.field}=0.8"]).target.randomization[1].low == 0.8


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("target.randomization.2.low=1", "target.randomization has no item 2 (it has 2, counted from 0)."),
        ("target.randomization.-1.low=1", "target.randomization has no item -1 (it has 2, counted from 0)."),
        ("target.randomization.low=1", "target.randomization has no item low (it has 2, counted from 0)."),
        ("source.randomization.0.low=1", "source.randomization has no item 0 (it has none)."),
        ("name.first=1", 'name is "tiny" and has no first.'),
    ],
)
def test_a_place_that_is_not_there_is_told(override: str, words: str) -> None:
    whole = tiny.experiment(**{"target.randomization": tiny.VARIED[:2]}).to_yaml()
    for given in (whole, f"name: tiny\ntarget: {TERMS}"):  # as written by the program, and by hand
        with pytest.raises(ExperimentError) as caught:
            Experiment.from_yaml(given, [override])
        assert (caught.value.message, caught.value.field) == (words, override.partition("=")[0])
        assert caught.value.remedy
