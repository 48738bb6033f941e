"""A policy meets a world that it was not made for: the viewport says so, and what is chosen next plays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from studio.experiment import Domain, Experiment
from studio.registry import Registry
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.sim.domains import resolve
from studio.viewer.player import Player
from tests.widgets.viewport.hands import Held
from widgets.shell.app_state import AppState

POINT = {"embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "state"}
CHEETAH = {**POINT, "embodiment": "half_cheetah", "task": "half_cheetah"}


class Worlds(Held):
    """Shows what the experiment says."""

    def _make(self, domain: Domain) -> Any:
        self.players.append(Player(resolve(domain, Registry()), "expert", seed=3))
        return self.players[-1]

    def choose(self, key: str) -> None:
        self.bar.policy.activated.emit(self.bar.policy.findData(key))

    def until_it_moves(self) -> None:
        before = self.frame.info.get("step")
        self.until(lambda: self.frame.playing and not self.frame.waiting and self.frame.info.get("step") != before)
        assert not self.frame.message


def policy(inputs: int, outputs: int) -> GaussianActorCritic:
    made = GaussianActorCritic()
    made.fit(inputs, -np.ones(outputs), np.ones(outputs), 0)
    return made


def plan(source: dict[str, Any], target: dict[str, Any]) -> Experiment:
    return Experiment.from_dict({"source": source, "target": target})


@pytest.fixture
def worlds(qtbot: Any, app_state: AppState) -> Iterator[Worlds]:
    app_state.set_experiment(plan(CHEETAH, POINT))
    made = Worlds(qtbot, app_state)
    yield made
    made.panel.shut_down()


def test_the_current_policy_in_another_experiments_world(worlds: Worlds, app_state: AppState) -> None:
    app_state.channels.policy.set(policy(2, 2))
    worlds.choose("current")
    worlds.until_it_moves()
    app_state.set_experiment(plan(POINT, CHEETAH))
    worlds.until(lambda: worlds.frame.message.startswith("The policy does not fit this world"))
    assert worlds.player.model.nu == 6 and not worlds.frame.playing and not worlds.toasts
    worlds.choose("random")
    worlds.until_it_moves()
    worlds.choose("current")
    worlds.until(lambda: "does not fit" in worlds.frame.message)
    app_state.channels.policy.set(policy(17, 6))  # of a training of what is shown
    worlds.until_it_moves()


def test_back_in_the_world_that_it_fits_a_policy_plays_on(worlds: Worlds, app_state: AppState) -> None:
    app_state.channels.policy.set(policy(2, 2))
    worlds.choose("current")
    worlds.bar.domain.set_key("source")
    worlds.bar.domain.chosen.emit("source")
    worlds.until(lambda: "does not fit" in worlds.frame.message)
    worlds.bar.domain.set_key("target")
    worlds.bar.domain.chosen.emit("target")
    worlds.until_it_moves()


def test_a_run_of_a_task_without_an_expert_shows_what_learns(worlds: Worlds, app_state: AppState) -> None:
    app_state.running_changed.emit(True)
    assert worlds.bar.policy.currentData() == "expert", "a point has an expert, and it plays on"
    app_state.set_experiment(plan(POINT, CHEETAH))
    worlds.until(lambda: worlds.bar.policy.currentData() == "random")
    app_state.channels.policy.set(policy(17, 6))
    app_state.running_changed.emit(True)
    worlds.until_it_moves()
    assert worlds.bar.policy.currentData() == "current"
