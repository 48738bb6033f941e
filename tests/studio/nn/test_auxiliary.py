"""What an auxiliary loss may return, and the sentences where it returns something else."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from studio.contracts import Batch, Outputs, Strategy, check_methods
from studio.errors import StudioError
from studio.nn.auxiliary import auxiliary_loss

OUTPUTS = Outputs(torch.ones(3, 2, requires_grad=True), torch.ones(3, 1))
ROWS = torch.zeros(3, dtype=torch.long)
BATCH = Batch({}, torch.zeros(3, 1), ROWS, ROWS)


def test_auxiliary_loss_detaches_what_is_logged() -> None:
    loss, logged = auxiliary_loss(lambda o, b: (o.features.sum(), {"a": o.features.mean(), "b": 2.0}), OUTPUTS, BATCH)
    assert loss.requires_grad and not logged["a"].requires_grad
    assert {name: value.item() for name, value in logged.items()} == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (lambda o, b: o.features.sum(), r"a tensor of shape \(\) alone"),
        (lambda o, b: (o.features.sum(1), {}), r"a loss of shape \(3,\)"),
        (lambda o, b: (o.features.sum(), None), "no dict of values"),
        (lambda o, b: None, "an object of type NoneType"),
    ],
)
def test_auxiliary_loss_that_returns_something_else_is_named(wrong: Any, what: str) -> None:
    with pytest.raises(StudioError, match=what) as failed:
        auxiliary_loss(wrong, OUTPUTS, BATCH)
    assert (
        "lambda" in failed.value.field and failed.value.remedy == "Return a scalar tensor and a dict of scalars to log."
    )


def test_attribute_that_hides_a_method_of_strategies_is_named() -> None:
    strategy = Strategy()
    check_methods(strategy)
    strategy.policy = torch.nn.Linear(1, 1)  # type: ignore[method-assign]
    with pytest.raises(StudioError, match="The attribute 'policy' hides a method"):
        check_methods(strategy)
