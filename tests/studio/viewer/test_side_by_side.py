"""Episodes side by side: whose pose is the robot's, the ways behind them, and a goal that a person moves."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from studio.contracts import Line
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.sim.trajectory import Trajectory
from studio.viewer.showing import Showing, ShownEpisode, SideBySide
from studio.viewer.side_by_side import HOLD_SECONDS, SideBySidePlayer

DOMAIN = Domain(embodiment="point", task="point_navigation", control="motor", observation="state")
GOAL = np.array([0.2, -0.3])


def straight(steps: int, move: float) -> Trajectory:
    """An episode along x."""
    qpos = np.zeros((steps + 1, 2))
    qpos[:, 0] = move * np.arange(steps + 1)
    mocap = np.tile(np.array([[*GOAL, 0.0]]), (steps + 1, 1, 1))
    return Trajectory(qpos, mocap, np.zeros(steps), np.concatenate([qpos, np.zeros((steps + 1, 1))], 1))


@pytest.fixture
def source() -> SideBySide:
    made = SideBySide()
    episodes = [
        ShownEpisode(straight(4, 0.1), "0 shots", (1, 0, 0, 1)),
        ShownEpisode(straight(2, 0.2), "1 shot", (0, 1, 0, 1)),
    ]
    made.show(Showing(episodes, GOAL, "after 1 shot", goal="goal"))
    return made


def test_last_episode_is_the_robot_and_stays_at_its_end(source: SideBySide) -> None:
    player = SideBySidePlayer(resolve(DOMAIN, Registry()), source)
    hz = player.control_hz
    player.seek(3)  # the robot's own episode is over
    assert player.data.qpos[0] == pytest.approx(0.4)
    (ghost,) = player.ghosts
    assert ghost.label == "0 shots" and ghost.pose[0] == pytest.approx(0.3)
    assert player.moment == (3, 5, 1 / hz)
    ways = [line for line in player.overlays if isinstance(line, Line)]
    assert [sum(line.color == color for line in ways) for color in ((1, 0, 0, 1), (0, 1, 0, 1))] == [3, 2]
    player.advance(1 / hz + HOLD_SECONDS / 2)
    assert player.frame == 4
    player.advance(HOLD_SECONDS)
    assert player.frame == 0


def test_legend_names_the_robots_own_episode_and_the_goal(source: SideBySide) -> None:
    player = SideBySidePlayer(resolve(DOMAIN, Registry()), source)
    (own, goal) = player.named_colors
    assert own == ("1 shot", (0, 1, 0, 1)) and goal[0] == "goal"
    assert goal[1] == pytest.approx((0.86, 0.12, 0.12, 1))  # as the task draws it
    first = player.places
    assert (
        first is not None
        and first.max(0) == pytest.approx([0.4, 0, 0])
        and first.min(0)[:2] == pytest.approx([0, -0.3])
    )
    showing = source.showing()
    assert showing is not None
    source.show(Showing(showing.episodes, GOAL, "more behind the scores", goal="goal"))
    player.advance(0.01)
    assert player.places is first  # the view is fitted once
    source.show(Showing([ShownEpisode(straight(4, 9.0), "0 shots", (1, 0, 0, 1))], GOAL, ""))
    player.advance(0.01)
    assert player.places is not None and player.places.max(0) == pytest.approx([36, 0, 0])


def test_a_goal_that_the_mouse_moves_is_asked_for(source: SideBySide) -> None:
    player = SideBySidePlayer(resolve(DOMAIN, Registry()), source)
    assert source.take_asked() is None
    perturb = player.perturb
    assert perturb is not None and player.context_values() == pytest.approx(GOAL)
    perturb.select = player._goal_body
    perturb.active = mujoco.mjtPertBit.mjPERT_TRANSLATE.value
    perturb.refpos[:] = [0.4, 0.1, 0.0]
    player.drag_at_rest()
    assert source.take_asked() == pytest.approx([0.4, 0.1]) and source.take_asked() is None
    assert player.data.mocap_pos[0, :2] == pytest.approx([0.4, 0.1])  # until its episodes come
    perturb.active = 0
    showing = source.showing()
    assert showing is not None
    source.show(Showing(showing.episodes, np.array([0.4, 0.1]), ""))
    player.advance(0.01)
    assert player.context_values() == pytest.approx([0.4, 0.1])
    player.set_context(0, 9.0)  # as far as it may go beyond the range of training, [-0.5, 0.5]
    assert source.take_asked() == pytest.approx([1.0, 0.1])
