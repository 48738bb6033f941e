"""A training's own simulations, watched: clips are what happened, one at a time, and nothing where nobody watches."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from studio.contracts import Ids
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, resolve, task_of
from studio.sim.observers import Observer
from studio.sim.simulation import BatchSimulation
from studio.sim.world import World
from studio.viewer import training_tap as watched
from studio.viewer.clip_player import ClipPlayer
from studio.viewer.training_tap import TrainingTap

CHEETAH = Domain(embodiment="half_cheetah", task="half_cheetah", control="motor", observation="state")
POINT = Domain(embodiment="point", task="point_navigation", control="motor", observation="state")


def world_of(domain: Domain, count: int) -> World:
    registry = Registry()
    world = World(domain, task_of(domain, registry), embodiment_of(domain, registry), count, threads=1)
    world.reset(seed=0)
    return world


def run(world: World, steps: int) -> list[np.ndarray]:
    """Steps a world at random; where its simulations were after each step, before any was reset."""
    rng, found = np.random.default_rng(0), []

    class Poses(Observer):
        def on_step(self, world: BatchSimulation, ids: Ids, rewards: np.ndarray) -> None:
            found.append(world.bind("qpos").copy())

    poses = Poses()
    world.observers.append(poses)
    for _ in range(steps):
        world.step(rng.uniform(-1, 1, (world.num_envs, *world.single_action_space.shape)))
    world.observers.remove(poses)
    return found


def test_a_clip_is_what_the_chosen_simulation_did() -> None:
    given, world = TrainingTap(), world_of(CHEETAH, 3)
    given.enter(world)
    given.look(1)
    poses = run(world, 25)  # a second is 20 steps
    clip = given.take()
    assert clip is not None and clip.simulation == 1 and clip.domain == CHEETAH and clip.control_hz == 20
    np.testing.assert_array_equal(clip.qpos, np.array(poses)[:20, 1])
    assert clip.steps.tolist() == list(range(1, 21)) and np.isfinite(clip.rewards).all()
    assert given.take() is None, "once"
    run(world, 30)
    later = given.take()
    assert later is not None and later.steps[0] > 20


def test_simulations_are_numbered_and_a_choice_drops_old_steps() -> None:
    given, one, other = TrainingTap(), world_of(CHEETAH, 3), world_of(POINT, 2)
    given.enter(one)
    given.enter(other)
    assert given.simulations == 5
    assert given.domain(2) == CHEETAH and given.domain(3) == POINT
    given.look(0)
    run(one, 25)
    given.look(4)
    assert given.take() is None, "of the simulation that is no longer wanted"
    run(other, 12)
    clip = given.take()
    assert clip is not None and clip.simulation == 4 and clip.mocap_pos.shape == (10, 1, 3)
    given.clear()
    assert given.simulations == 0 and given.domain(0) is None


def test_steps_without_the_watched_simulation_are_left_out() -> None:
    """As where an iteration is an episode of each: those that are over wait for the longest."""
    given, world = TrainingTap(), world_of(CHEETAH, 3)
    given.enter(world)
    given.look(1)
    for step in range(30):
        ids = np.array([0, 1, 2]) if step % 3 else np.array([0, 2])
        world.advance(np.ones((len(ids), 6)), ids)
        given.on_step(world, ids, 10.0 * step + ids)
    clip = given.take()
    assert clip is not None and clip.steps.tolist() == list(range(1, 21))
    assert clip.rewards.tolist() == [10.0 * step + 1 for step in range(30) if step % 3]
    assert (np.abs(np.diff(clip.qpos, axis=0)).max(1) > 0).all()


def test_nothing_is_recorded_unasked_or_once_the_watcher_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    given, world = TrainingTap(), world_of(POINT, 2)
    given.enter(world)
    run(world, 30)
    given.look(0)
    assert given.take() is None, "nobody had asked for those steps"
    run(world, 12)
    assert given.take() is not None
    run(world, 12)
    monkeypatch.setattr(watched, "LEASE_SECONDS", -1.0)
    run(world, 1)
    assert given.wanted is None and given.take() is None


def test_a_self_generated_goal_is_shown_in_the_clip() -> None:
    given, world = TrainingTap(), world_of(POINT, 2)
    given.enter(world)
    given.look(1)
    before, dreams = world.mocap()[1, 0].copy(), np.array([[0.1, 0.2], [-0.3, 0.25]])
    world.self_generated = lambda sim: dreams[sim]
    run(world, 12)
    clip = given.take()
    assert clip is not None
    np.testing.assert_array_equal(clip.mocap_pos[:, 0, :2], np.tile(dreams[1], (len(clip.steps), 1)))
    np.testing.assert_array_equal(world.mocap()[1, 0], before)
    assert not [name for name in world.state_dict()["rows"] if "self_generated" in name]


def test_a_world_that_is_gone_is_no_choice() -> None:
    given, world = TrainingTap(), world_of(POINT, 2)
    given.enter(world)
    world.close()
    del world
    gc.collect()
    assert given.simulations == 0


class Clips:
    """Hands out clips by hand."""

    def __init__(self) -> None:
        self.next: Any = None

    def __call__(self) -> Any:
        clip, self.next = self.next, None
        return clip


def clip_of(world: World, simulation: int = 0, seconds: int = 2) -> Any:
    given = TrainingTap()
    given.enter(world)
    given.look(simulation)
    run(world, seconds * int(world.task.control_hz))
    return given.take()


def test_clips_are_played_at_their_pace() -> None:
    ask = Clips()
    mirror = ClipPlayer(ask, resolve(CHEETAH, Registry()))
    mirror.advance(0.1)
    assert "step" not in mirror.info and mirror.info["training"]
    clip = ask.next = clip_of(world_of(CHEETAH, 1))
    mirror.advance(0.01)
    np.testing.assert_array_equal(mirror.data.qpos, clip.qpos[0])
    mirror.advance(0.5)
    np.testing.assert_array_equal(mirror.data.qpos, clip.qpos[10])
    assert mirror.info["step"] == 11 and mirror.info["reward"] == clip.rewards[10]
    mirror.advance(5)
    np.testing.assert_array_equal(mirror.data.qpos, clip.qpos[-1])
    ask.next = clip
    mirror.advance(0.01)
    assert mirror.info["step"] == 1 and mirror.info["episode"] == 1, "steps that start over are another episode's"


def test_a_mirror_says_when_the_training_shows_another_world() -> None:
    ask = Clips()
    mirror = ClipPlayer(ask, resolve(CHEETAH, Registry()))
    ask.next = clip_of(world_of(POINT, 1))
    mirror.advance(0.1)
    assert mirror.info["stale"] and "step" not in mirror.info
