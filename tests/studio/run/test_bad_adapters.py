"""Adapters and data that cannot work are problems at their fields, before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from studio.errors import ExperimentError
from studio.registry import Registry
from studio.run.check import check
from tests import tiny


@pytest.mark.parametrize("strategy", ["lora", "adalora", "peft_adapter"])
@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"target_modules": ["query"]}, "strategy.params.target_modules", "no linear layer 'query'"),
        ({"target_modules": ["q_proj", "action_head.0"]}, "strategy.params.target_modules", "'action_head.0'"),
        ({"target_modules": []}, "strategy.params.target_modules", "No layer"),
        ({"rank": 0}, "strategy.params.rank", "0 is out of range"),
    ],
)
def test_adapter_that_cannot_be_placed_is_a_problem(
    strategy: str, params: dict[str, Any], field: str, words: str
) -> None:
    problems = check(tiny.experiment(strategy, **{"strategy.params": params}), Registry())
    assert [p.field for p in problems] == [field]
    assert words in problems[0].message and problems[0].remedy


@pytest.mark.parametrize("field", ["target.episodes", "source.episodes"])
def test_zero_episodes_are_refused(field: str) -> None:
    with pytest.raises(ExperimentError, match="at least 1") as refused:
        tiny.experiment(**{field: 0})
    assert refused.value.field == field
