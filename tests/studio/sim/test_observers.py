"""Observers: which events they get, in which order, and that they change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from studio.contracts import Ids
from studio.sim.gymnasium_ids import make_vector
from studio.sim.observers import Observer
from studio.sim.rollout import run_episodes
from studio.sim.simulation import BatchSimulation
from studio.sim.world import World

N = 4


class Notes(Observer):
    """Writes everything down."""

    def __init__(self) -> None:
        self.found: list[tuple[str, list[int], Any]] = []

    def on_reset(self, world: BatchSimulation, ids: np.ndarray) -> None:
        self.found.append(("reset", ids.tolist(), world.steps[ids].tolist()))

    def on_step(self, world: BatchSimulation, ids: Ids, rewards: np.ndarray) -> None:
        self.found.append(("step", world.env_indices(ids).tolist(), rewards.tolist()))

    def on_episode_end(self, world: BatchSimulation, ids: np.ndarray, successes: np.ndarray | None) -> None:
        self.found.append(("end", ids.tolist(), None if successes is None else successes.tolist()))


def hopper() -> World:
    made: World = make_vector(N, "hopper", "hopper", threads=1)
    return made


def falls(world: World, steps: int) -> np.ndarray:
    """Rewards under actions that soon let a hopper fall."""
    world.reset(seed=0)
    return np.array([world.step(np.full((N, 3), 0.5 - i % 2))[1] for i in range(steps)])


def test_observers_see_resets_steps_and_ends_in_order() -> None:
    world, notes = hopper(), Notes()
    world.observers.append(notes)
    rewards = falls(world, 120)
    assert notes.found[0] == ("reset", list(range(N)), [0] * N)
    steps = [found for found in notes.found if found[0] == "step"]
    np.testing.assert_array_equal(np.array([values for _, _, values in steps]), rewards)
    ends = [place for place, found in enumerate(notes.found) if found[0] == "end"]
    assert ends, "a hopper falls"
    for place in ends:
        before, (_, ids, successes), after = notes.found[place - 1 : place + 2]
        assert before[0] == "step" and successes is None
        assert after == ("reset", ids, [0] * len(ids))
    world.close()


def test_observers_change_no_trajectory() -> None:
    plain, watched = hopper(), hopper()
    watched.observers.append(Notes())
    np.testing.assert_array_equal(falls(plain, 60), falls(watched, 60))
    plain.close()
    watched.close()


def test_observers_see_whole_episodes_that_are_run() -> None:
    """Simulations whose episode is over are not stepped, and ends come with their successes."""
    world, notes = make_vector(N, "reach", "franka_7dof", threads=1), Notes()
    world.observers.append(notes)
    outcome = run_episodes(world, lambda w, ids, seen: w.expert(ids), range(N), needs_observation=False)
    counted = np.zeros(N, int)
    for kind, ids, _ in notes.found:
        counted[ids] += kind == "step"
    np.testing.assert_array_equal(counted, outcome.lengths)
    ended = {i: won for kind, ids, wins in notes.found if kind == "end" for i, won in zip(ids, wins, strict=True)}
    assert [ended[i] for i in range(N)] == outcome.successes.tolist()
    world.close()
