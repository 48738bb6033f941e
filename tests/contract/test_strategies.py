"""Every strategy of the registry keeps the same promises, shown by the tiny experiments that it declares.

A file that is not installed joins them by ``TRANSFER_STUDIO_PLUGINS=FOLDER pytest tests/contract``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.experiment import Experiment
from studio.registry import Registry, shared_registry
from tests.contract.promises import (
    Trained,
    assert_acts_the_same_when_exported,
    assert_adapts_to_a_task,
    assert_has_no_problem,
    assert_learns_in_finite_numbers,
    assert_resumes_bit_for_bit,
    assert_was_scored_on_the_target,
)

# asked for by whom starts the tests: whatever lies in the user's own folder is no part of them
DROP_IN = Path(os.environ.get("TRANSFER_STUDIO_PLUGINS", os.devnull))
STRATEGIES = Registry(DROP_IN).all("strategies")
VARIANTS = [(id, name) for id, kind in STRATEGIES.items() for name in ("example", *kind.example_variants)]

FORGETFUL = """
from plugins.strategies.dann import DANN
from studio.il.strategy import CloningStrategy

class Forgetful(DANN):
    id = "forgetful"

    def stateful(self):
        return CloningStrategy.stateful(self)  # without the discriminator
"""


@pytest.fixture(autouse=True)
def drop_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFER_STUDIO_PLUGINS", str(DROP_IN))


@pytest.fixture(params=VARIANTS, ids="-".join)
def example(request: pytest.FixtureRequest) -> Experiment:
    """One of a strategy's tiny experiments."""
    id, name = request.param
    kind = STRATEGIES[id]
    assert kind.example, f"'{id}' declares no tiny experiment: set its class attribute 'example'"
    examples: dict[str, Experiment] = kind.examples()
    return examples[name]


def test_strategy_trains_resumes_and_exports(example: Experiment, tmp_path: Path) -> None:
    assert_has_no_problem(example)
    trained = Trained(example, tmp_path / "whole")
    assert_learns_in_finite_numbers(trained)
    assert_was_scored_on_the_target(trained)
    assert_adapts_to_a_task(trained)
    assert_acts_the_same_when_exported(trained, tmp_path)
    assert_resumes_bit_for_bit(trained, tmp_path)


def test_strategy_that_forgets_a_part_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its discriminator starts again at random when the run is resumed."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "forgetful.py").write_text(FORGETFUL)
    monkeypatch.setenv("TRANSFER_STUDIO_PLUGINS", str(plugins))
    plan = shared_registry().get("strategies", "forgetful").examples()["example"]
    assert_has_no_problem(plan)
    trained = Trained(plan, tmp_path / "whole")
    with pytest.raises(AssertionError, match=r"policy.safetensors: \['"):
        assert_resumes_bit_for_bit(trained, tmp_path)
