"""The player: one simulation for watching."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
import pytest

from studio.errors import StudioError
from studio.experiment import Domain
from studio.nn.policy import BasePolicy
from studio.registry import Registry, shared_registry
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.sim.domains import embodiment_of, resolve, task_of
from studio.sim.substeps import PARTS
from studio.sim.world import World
from studio.viewer.player import HOLD_SECONDS, Player

NAVIGATION = Domain(embodiment="point", task="point_navigation", control="motor", observation="goal")
REACHER = Domain(embodiment="reacher", task="reacher", control="motor", observation="state")


@pytest.fixture
def player() -> Iterator[Player]:
    playing = Player(
        resolve(Domain(embodiment="ur5_6dof", observation="goal", image_size=32), Registry()), "expert", seed=3
    )
    yield playing
    playing.close()


def test_the_expert_succeeds_and_the_next_episode_starts(player: Player) -> None:
    part = 1 / (player.world.task.control_hz * PARTS)
    while not player.info["success"]:
        player.advance(part)
        assert player.info["step"] <= player.world.task.horizon
    ended = player.info
    assert (ended["seed"], ended["episode"], ended["successes"]) == (3, 0, 1)
    assert ended["return_"] < 0
    assert ended["time"] == pytest.approx(ended["step"] / player.world.task.control_hz)
    player.advance(HOLD_SECONDS + 2 * part)
    first = player.info
    assert (first["seed"], first["episode"], first["success"]) == (4, 1, False)


def test_tiny_advances_accumulate(player: Player) -> None:
    """Time that is asked for in crumbs passes all the same, and to the same state."""
    for _ in range(200):
        player.advance(0.001)
    crumbs = player.data.qpos.copy()
    player.reset()
    player.advance(0.2001)  # a hair more: the crumbs' sum is rounded
    np.testing.assert_allclose(player.data.qpos, crumbs, atol=1e-12)
    assert player.info["step"] == 2


def test_less_than_a_part_moves_nothing_yet(player: Player) -> None:
    before = player.data.qpos.copy()
    player.advance(0.001)
    np.testing.assert_array_equal(player.data.qpos, before)


def test_reset_plays_the_same_episode_again(player: Player) -> None:
    player.step()
    first = player.data.qpos.copy()
    player.reset()
    player.step()
    np.testing.assert_array_equal(player.data.qpos, first)
    player.reset(9)
    player.step()
    assert not np.array_equal(player.data.qpos, first)


def test_what_is_drawn_is_what_is_simulated(player: Player) -> None:
    player.step()
    tip = player.data.site_xpos[player.world.scene.limbs[0].site]
    np.testing.assert_allclose(tip, player.world.end_effectors(np.zeros(1, int))[0, 0], atol=1e-9)
    ball = player.data.body("task/goal").xpos
    np.testing.assert_allclose(ball, player.world.task.goal(player.world, np.zeros(1, int))[0])
    assert isinstance(player.model, mujoco.MjModel)


def test_chance_and_a_policy_play_too(player: Player) -> None:
    class Up(BasePolicy):
        def act(self, observation, memory=None):
            return np.tile([0.0, 0.0, 1.0], (len(observation["joint_pos"]), 1)), memory

    tip = player.world.scene.limbs[0].site
    player.set_policy(Up())
    before = player.data.site_xpos[tip][2]
    for _ in range(3):
        player.step()
    assert player.data.site_xpos[tip][2] > before + 0.03
    player.set_policy("random")
    player.step()


def test_a_policy_that_does_not_fit_is_refused(player: Player) -> None:
    class Wide(BasePolicy):  # as one of another robot's control
        def act(self, observation, memory=None):
            return np.zeros((len(observation["joint_pos"]), 7)), memory

    foreign = GaussianActorCritic()
    foreign.fit(17, -np.ones(3), np.ones(3), 0)
    array = GaussianActorCritic()
    array.act = lambda observation, memory=None: (observation.mean(1), memory)  # it expects no dictionary
    for policy in (Wide(), foreign, array):
        with pytest.raises(StudioError, match=r"^The policy does not fit this world: .*\. Choose another policy"):
            player.set_policy(policy)
    player.step()
    assert player.info["step"] == 1
    with pytest.raises(StudioError, match="no scripted expert"):
        hopper = Domain(embodiment="hopper", task="hopper", control="motor", observation="state")
        Player(resolve(hopper, Registry()), "expert").step()


def test_randomizing_while_playing_and_taking_it_back(player: Player) -> None:
    player.step()
    plain = player.data.qpos.copy()
    player.randomize({"mass": 3.0, "actuator_gain": 0.3})
    player.reset()
    player.step()
    assert not np.array_equal(player.data.qpos, plain)
    player.randomize({})
    player.reset()
    player.step()
    np.testing.assert_array_equal(player.data.qpos, plain)
    assert player.observation_image() is None


HOPPER: dict[str, Any] = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}


@pytest.mark.parametrize("resample", ["reset", "once"])
def test_a_preview_holds_over_episodes_until_it_is_ended(resample: str) -> None:
    term = {"field": "friction", "low": 0.5, "high": 0.6, "resample": resample}
    playing, untouched = (
        Player(resolve(Domain(randomization=[term], **HOPPER), Registry()), "random") for _ in range(2)
    )

    def shown(player: Player) -> tuple[float, float]:
        scale = player.batch.expand("geom_friction")[0, 0, 0] / player.world.model.geom_friction[0, 0]
        return float(player.world.randomization["friction"][0]), float(scale)

    own = shown(playing)
    assert 0.5 <= own[0] <= 0.6
    playing.randomize({"friction": 1.0})
    playing.reset(7)
    assert shown(playing) == (1.0, 1.0)
    playing.randomize({})
    for player in (playing, untouched):
        player.reset(7)
    assert shown(playing) == shown(untouched) and (shown(playing) == own) == (resample == "once")
    playing.reset(8)
    assert 0.5 <= shown(playing)[0] <= 0.6
    playing.randomize({"friction": 1.0})
    playing.randomize({})
    untouched.reset(8)
    assert shown(playing) == shown(untouched), "in the episode in which it is ended, too"
    for player in (playing, untouched):
        player.close()


def test_a_long_delay_acts_as_in_training() -> None:
    late = [{"field": "actuator_delay", "low": 0.2, "high": 0.2}]
    domain = Domain(embodiment="ur5_6dof", observation="goal", randomization=late)
    world = World(domain, task_of(domain, Registry()), embodiment_of(domain, Registry()), 1, 1)
    playing, ids = Player(resolve(domain, Registry()), "expert", seed=3), np.zeros(1, int)
    world.reset_envs(ids, [3])
    for _ in range(8):
        playing.step()
        world.advance(world.expert(ids), ids)
    np.testing.assert_array_equal(playing.world.bind("qpos"), world.bind("qpos"))
    with pytest.raises(StudioError, match=r"keeps 0\.2 s of past commands; a delay of 0\.3 s is longer"):
        playing.randomize({"actuator_delay": 0.3})
    assert playing.world.randomization["actuator_delay"][0] == 0.2
    playing.reset()
    for made in (playing, world):
        made.close()


def test_previewed_noise_is_what_a_policy_sees(player: Player) -> None:
    before = player.world.observe(np.zeros(1, int))["joint_pos"]
    player.randomize({"sensor_noise": 0.05})
    noisy = player.world.observe(np.zeros(1, int))["joint_pos"]
    assert 0.01 < np.abs(noisy - before).mean() < 0.2
    player.randomize({})
    np.testing.assert_array_equal(player.world.observe(np.zeros(1, int))["joint_pos"], before)


def test_a_target_on_slides_is_observed_where_the_hand_holds_it() -> None:
    class Still(BasePolicy):
        seen: list[np.ndarray] = []

        def act(self, observation: Any, memory: Any = None) -> tuple[np.ndarray, Any]:
            self.seen.append(np.array(observation["state"][0]))
            return np.zeros((1, 2)), memory

    playing = Player(resolve(REACHER, Registry()), Still(), seed=3)
    playing.step()
    target, tip = playing.model.body("target").id, playing.model.body("fingertip").id
    hand = playing.perturb
    hand.select, hand.active, start = (
        target,
        mujoco.mjtPertBit.mjPERT_TRANSLATE.value,
        playing.data.xipos[target].copy(),
    )
    for i in range(1, 6):
        hand.refpos[:] = start + np.array([0.01 * i, 0, 0])
        before = playing.data.xpos[tip].copy()
        playing.step()
        seen = Still.seen[-1]
        np.testing.assert_allclose(seen[4:6], hand.refpos[:2], atol=1e-6)
        np.testing.assert_allclose(seen[4:6] + seen[8:10], before[:2], atol=1e-3)  # the fingertip, as it is
    playing.close()


@pytest.mark.parametrize(
    ("domain", "mark", "seen", "at"),
    [
        (REACHER, "target", "state", slice(4, 6)),
        (Domain(embodiment="ur5_6dof", observation="goal"), "task/goal", "goal", slice(2)),
        (NAVIGATION, "task/goal", "goal", slice(2)),  # whose place is the context
    ],
)
def test_a_goal_stays_where_the_hand_put_it_until_a_reset(domain: Domain, mark: str, seen: str, at: slice) -> None:
    playing = Player(resolve(domain, Registry()), "random", seed=3)
    body, hand = playing.model.body(mark).id, playing.perturb

    def place() -> np.ndarray:
        return playing.data.xipos[body].copy()

    hand.select, hand.active = body, mujoco.mjtPertBit.mjPERT_TRANSLATE.value
    hand.refpos[:] = there = place() + np.array([0.03, -0.02, 0])
    playing.step()
    hand.active = 0
    for _ in range(2):
        before = playing.info["episode"]
        while playing.info["episode"] == before:
            playing.step()
        np.testing.assert_allclose(place(), there, atol=1e-9)
        np.testing.assert_allclose(playing.world.observe(np.zeros(1, int))[seen][0, at], there[:2], atol=1e-6)
    playing.reset()
    untouched = Player(resolve(domain, Registry()), "random", seed=playing.info["seed"])
    np.testing.assert_array_equal(place(), untouched.data.xipos[body], "the task's own again")
    playing.close()
    untouched.close()


def test_a_goal_follows_the_hand_after_an_episodes_end() -> None:
    playing = Player(resolve(REACHER, Registry()), "random", seed=3)
    part, target, hand = 1 / (playing.control_hz * PARTS), playing.model.body("target").id, playing.perturb
    while playing.info["step"] < playing.world.task.horizon:
        playing.advance(part)
    playing.advance(PARTS * part)  # the last step is over
    hand.select, hand.active = target, mujoco.mjtPertBit.mjPERT_TRANSLATE.value
    hand.refpos[:] = there = playing.data.xipos[target] + np.array([0.03, -0.02, 0])
    for episode in (0, 1):  # held, and in the episode that follows
        playing.advance(2 * part if episode == 0 else HOLD_SECONDS)
        hand.active = 0
        assert playing.info["episode"] == episode
        np.testing.assert_allclose(playing.data.xipos[target], there, atol=1e-9)
    playing.close()


def test_a_goal_that_was_dragged_and_taken_back_does_not_return() -> None:
    playing = Player(resolve(REACHER, Registry()), "random", seed=3)
    target, hand = playing.model.body("target").id, playing.perturb
    playing.step()
    hand.select, hand.active = target, mujoco.mjtPertBit.mjPERT_TRANSLATE.value
    hand.refpos[:] = there = playing.data.xipos[target] + np.array([0.03, -0.02, 0])
    playing.step()
    hand.active = 0
    playing.seek(0)
    while playing.info["episode"] == 0:
        playing.advance(1 / playing.control_hz)  # on from there: a step would be the one that was
    assert np.abs(playing.data.xipos[target] - there).max() > 1e-3
    playing.close()


def test_a_player_is_freed_where_it_is_dropped() -> None:
    """Without the garbage collector, which runs on whatever thread happens to make objects."""
    gc.collect()
    gc.disable()
    try:
        player = Player(resolve(Domain(observation="goal"), shared_registry()), "expert")
        player.step()
        player.close()
        freed = weakref.ref(player)
        del player
        assert freed() is None
    finally:
        gc.enable()
