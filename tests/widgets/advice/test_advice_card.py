"""The advice in the strategy panel: at a glance, in words, and taken by a click."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.contracts import Requires
from studio.experiment import Experiment
from tests.widgets.shell import fakes
from widgets.advice.card import AdviceCard
from widgets.shell.app_state import AppState


class Reinforced(fakes.Lora):
    """A strategy that learns from no demonstrations."""

    id = "reinforced"
    requires = Requires()


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path) -> Iterator[AppState]:
    registry = fakes.FakeRegistry(strategies=[fakes.Lora, Reinforced])
    made = AppState(tmp_path, registry=registry, engine=fakes.FakeEngine().functions())
    yield made
    made.close()


def test_advice_card_recommends_and_is_taken_by_a_click(qtbot: Any, app_state: AppState) -> None:
    card = AdviceCard(app_state)
    qtbot.addWidget(card)
    app_state.load_plugins()
    app_state.set_experiment(Experiment().changed(**{"target.episodes": 20}))
    qtbot.waitUntil(lambda: card.advice is not None and card.advice.episodes == 20, timeout=20_000)
    assert card.section.head.text() == "Advice: feature extraction" and "fewer than 50" in card.words.text()
    assert card.use.text() == "Use feature extraction" and card.use.isEnabled()
    card.use.click()
    assert app_state.experiment.strategy.id == "feature_extraction"


def test_advice_card_is_hidden_without_demonstrations(qtbot: Any, app_state: AppState) -> None:
    card = AdviceCard(app_state)
    qtbot.addWidget(card)
    app_state.load_plugins()
    qtbot.waitUntil(lambda: card.advice is not None, timeout=20_000)
    assert not card.isHidden()
    app_state.edit(**{"strategy.id": "reinforced"})
    qtbot.waitUntil(card.isHidden, timeout=20_000)
