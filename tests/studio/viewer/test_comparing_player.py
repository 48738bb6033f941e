"""A second policy beside the first: the same seeds, its own end, and exactly as it was when time goes back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from studio.experiment import Domain
from studio.nn.policy import BasePolicy
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.viewer.comparing_player import ComparingPlayer

DOMAIN = Domain(embodiment="reacher", task="reacher", control="motor", observation="state")


class Constant(BasePolicy):
    """Always does the same."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value_ = value

    def act(self, observation, memory=None):  # type: ignore[no-untyped-def]
        return np.full((1, 2), self.value_), memory


@pytest.fixture
def player() -> Iterator[ComparingPlayer]:
    made = ComparingPlayer(resolve(DOMAIN, Registry()), Constant(0.5), "base", (1, 0, 0, 0.4), Constant(0.5), seed=5)
    yield made
    made.close()


def test_both_start_alike_and_part_with_their_actions(player: ComparingPlayer) -> None:
    for _ in range(3):
        player.step()
    (ghost,) = player.ghosts
    np.testing.assert_array_equal(ghost.pose, player.data.qpos)
    assert ghost.label == "base"
    player.set_policy(Constant(-0.5))
    for _ in range(3):
        player.step()
    assert np.abs(player.ghosts[0].pose - player.data.qpos).max() > 1e-3


def test_second_robot_goes_back_and_on_exactly(player: ComparingPlayer) -> None:
    poses = []
    for _ in range(4):
        player.step()
        poses.append(player.ghosts[0].pose)
    player.seek(2)
    np.testing.assert_array_equal(player.ghosts[0].pose, poses[1])
    player.advance(2.0 / player.control_hz + 1e-6)
    np.testing.assert_array_equal(player.ghosts[0].pose, poses[3])


def test_next_episode_waits_for_both(player: ComparingPlayer) -> None:
    horizon = player.world.task.horizon
    player.set_policy("random")
    for _ in range(horizon):
        player.step()
    player.advance(2.0)
    assert player.info["episode"] == 1 and player.info["seed"] == 6
    assert player.info["step"] == player._second.info["step"]
