"""Sliders of a family's context: they follow the episode, lead it, and are there only for families."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.viewer.player import Player
from tests.widgets.viewport.hands import Held
from widgets.shell.app_state import AppState
from widgets.viewport.frame import Frame
from widgets.viewport.inspector import ViewportSide
from widgets.viewport.model_sheet import ModelSheet

POINT = Domain(embodiment="point", task="point_navigation", control="motor", observation="goal")


class Family(Held):
    """A viewport over a family of tasks."""

    def _make(self, domain: Domain) -> Any:
        self.players.append(Player(resolve(POINT, Registry()), "random", seed=3))
        return self.players[-1]


@pytest.fixture
def family(qtbot: Any, app_state: AppState) -> Iterator[Family]:
    made = Family(qtbot, app_state)
    made.bar.side.click()
    made.until(lambda: made.frame.context is not None)
    yield made
    made.panel.shut_down()


def test_sliders_follow_the_context_and_turn_it(family: Family) -> None:
    sliders, numbers = family.side.context.sliders, family.side.context.numbers
    assert family.side.sections["context"].isVisible() and len(sliders) == 2
    assert sliders[0].accessibleName() == "Context goal x"
    family.until(lambda: numbers[1].text() == f"{family.frame.context[1]:.3f}")
    sliders[0].setValue(sliders[0].maximum() * 3 // 4)
    family.until(lambda: abs(family.player.context_values()[0] - 0.25) < 1e-6)
    family.until(lambda: np.allclose(family.player.data.body("task/goal").xpos[0], 0.25))
    assert family.frame.playing, "the episode goes on"
    family.side.hold.click()
    episode = family.frame.info["seed"]
    family.panel.thread_.reset(episode + 5)
    family.until(lambda: family.frame.info["seed"] == episode + 5)
    assert family.player.context_values()[0] == pytest.approx(0.25)


def test_there_are_none_where_there_is_no_family(held: Held) -> None:
    held.bar.side.click()
    held.until(lambda: not held.side.isHidden() and held.frame.playing)
    assert held.side.sections["context"].isHidden() and held.frame.context is None


def test_the_inspector_lists_changes_to_a_users_model(qtbot: Any) -> None:
    side = ViewportSide()
    qtbot.addWidget(side)
    sentences = ("Position servos replace the torque motors m1.", "A floor at height 0 was added.")
    side.follow(Frame(sheet=ModelSheet(changes=sentences)))
    assert not side.sections["changes"].isHidden()
    assert side.changes.text().splitlines() == [*sentences]
    side.follow(Frame(sheet=ModelSheet()))
    assert side.sections["changes"].isHidden(), "the studio's own models are as they are"
