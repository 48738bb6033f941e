"""The player: one simulation for watching."""

from __future__ import annotations

from collections.abc import Iterator

import mujoco
import numpy as np
import pytest

from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import Registry
from studio.rl.policy import GaussianActorCritic
from studio.sim.player import HOLD_SECONDS, Player
from studio.sim.world import PARTS


@pytest.fixture
def player() -> Iterator[Player]:
    playing = Player(Domain(embodiment="ur5_6dof", observation="goal", image_size=32), Registry(), "expert", seed=3)
    yield playing
    playing.close()


def test_the_expert_plays_an_episode_to_success_and_the_next_begins(player: Player) -> None:
    part = 1 / (player.world.task.control_hz * PARTS)
    while not player.info["success"]:
        player.advance(part)
        assert player.info["step"] <= player.world.task.horizon
    ended = player.info
    assert (ended["seed"], ended["episode"], ended["successes"]) == (3, 0, 1)
    assert ended["return_"] < 0
    assert ended["time"] == pytest.approx(ended["step"] / player.world.task.control_hz)
    player.advance(HOLD_SECONDS + 2 * part)
    begun = player.info
    assert (begun["seed"], begun["episode"], begun["success"]) == (4, 1, False)


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
    ball = player.data.body("goal").xpos
    np.testing.assert_allclose(ball, player.world.task.goal(player.world, np.zeros(1, int))[0])
    assert isinstance(player.model, mujoco.MjModel)


def test_chance_and_a_policy_play_too(player: Player) -> None:
    class Up:
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


def test_a_policy_that_does_not_fit_is_refused_and_who_acted_goes_on(player: Player) -> None:
    class Wide:  # as one of another robot's control
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
        Player(hopper, Registry(), "expert").step()


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
