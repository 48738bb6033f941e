"""The viewport's view into a training: chosen in the bar, by number, and left again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.world import World
from tests.widgets.viewport.hands import Held
from widgets.shell.app_state import AppState

CHEETAH = Domain(embodiment="half_cheetah", task="half_cheetah", control="motor", observation="state")


class Training(threading.Thread):
    """Steps a world without end, as a training does."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__(daemon=True)
        registry = Registry()
        self.world = World(CHEETAH, task_of(CHEETAH, registry), embodiment_of(CHEETAH, registry), 4, threads=1)
        self.world.reset(seed=0)
        app_state.channels.training.enter(self.world)
        self.over = threading.Event()

    def run(self) -> None:
        rng = np.random.default_rng(0)
        while not self.over.is_set():
            self.world.step(rng.uniform(-1, 1, (4, 6)))
            time.sleep(0.002)


@pytest.fixture
def training(app_state: AppState) -> Iterator[Training]:
    made = Training(app_state)
    yield made
    made.over.set()
    if made.is_alive():
        made.join(5)


def choose(held: Held, key: str) -> None:
    held.bar.policy.activated.emit(held.bar.policy.findData(key))


def test_a_simulation_of_the_training_is_watched_by_its_number(
    held: Held, app_state: AppState, training: Training
) -> None:
    training.start()
    before = held.frame.model
    assert held.bar.simulation.isHidden()
    choose(held, "training")
    held.until(lambda: held.frame.model > before and held.frame.sheet.kind == "training")
    held.until(lambda: held.frame.info.get("step", 0) > 0)
    assert held.bar.simulation.isVisible() and held.bar.simulation.maximum() == 4
    assert (
        held.view.overlays.looking_at == "training · simulation 1 of 4" and held.bar.policy.currentData() == "training"
    )
    held.bar.simulation.setValue(3)
    held.until(lambda: app_state.channels.training.wanted == 2 and held.frame.info.get("step", 0) > 0)
    assert held.view.overlays.looking_at == "training · simulation 3 of 4"
    choose(held, "expert")
    held.until(lambda: held.frame.sheet.kind == "world")
    assert held.bar.simulation.isHidden() and app_state.channels.training.wanted is None


def test_before_a_training_it_waits_and_then_shows_its_world(held: Held, training_later: Any) -> None:
    choose(held, "training")
    held.until(lambda: held.frame.sheet.kind == "training" and "step" not in held.frame.info)
    held.until(lambda: "waiting for the training" in held.view.overlays.texts)
    first = held.frame.model
    training_later()
    held.until(lambda: held.frame.model > first and held.frame.info.get("step", 0) > 0)
    held.until(lambda: any("simulation 1 of 4" in text for text in held.view.overlays.texts))


@pytest.fixture
def training_later(app_state: AppState) -> Iterator[Any]:
    made: list[Training] = []

    def begin() -> None:
        made.append(Training(app_state))
        made[0].start()

    yield begin
    for training in made:
        training.over.set()
        training.join(5)


def test_without_an_expert_random_actions_move_the_robot(held: Held, app_state: AppState) -> None:
    def driver() -> str:
        return str(held.bar.policy.currentData())

    arm = app_state.experiment.target
    assert driver() == "expert"
    app_state.edit(target=CHEETAH)
    held.until(lambda: driver() == "random")
    app_state.edit(target=arm)
    held.until(lambda: driver() == "expert")
    app_state.edit(target=CHEETAH)
    held.until(lambda: driver() == "random")
    app_state.running_changed.emit(True)
    assert driver() == "current"
    choose(held, "random")  # by hand: it stays
    app_state.running_changed.emit(True)
    assert driver() == "random"
