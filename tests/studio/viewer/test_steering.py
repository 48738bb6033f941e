"""A hand on the context of an episode that plays: it is another task at once, the mark goes along, and back."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from studio.contracts import Task
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.viewer.player import Player
from studio.viewer.steering import Component, arrow, components, goal_components, with_component

POINT = Domain(embodiment="point", task="point_navigation", control="motor", observation="goal")


class Velocity(Task):
    context = ("velocity",)
    ranges: ClassVar[tuple[tuple[float, float], ...]] = ((0.0, 2.0),)


class Direction(Task):
    context = ("direction",)
    members = ((1.0,), (-1.0,))


class Angle(Task):
    context = ("cosine", "sine")
    ranges: ClassVar[tuple[tuple[float, float], ...]] = ((-1.0, 1.0), (-1.0, 1.0))


def test_a_component_beyond_its_range_and_one_of_few_values() -> None:
    (velocity,) = components(Velocity(), [[4.0]])
    assert (velocity.low, velocity.high) == (-1.0, 4.0) and velocity.nearest(9) == 4
    (direction,) = components(Direction())
    assert direction.choices == (-1.0, 1.0) and direction.nearest(0.2) == 1 and direction.nearest(-0.2) == -1
    assert components(Task()) == () and goal_components(Velocity()) == 0


@pytest.mark.parametrize("name", ["maze", "tabular_mdp"])
def test_a_number_that_a_hand_turns_is_one_of_the_family(name: str) -> None:
    task = Registry().get("tasks", name, "task")()
    (number,) = components(task)
    for turned in (0.07 * number.high, 0.4 + number.high, -3.2):
        context = with_component((number,), np.array([5.0]), 0, turned)
        assert task.check_context(context.tolist()) == [] and abs(context[0] - turned) < 4
    assert "number 123456789.5." in task.check_context([123456789.5])[0].message


class UpperHalf(Task):
    context = ("goal_x", "goal_y")
    ranges: ClassVar[tuple[tuple[float, float], ...]] = ((-1.0, 1.0), (0.0, 1.0))
    reach: ClassVar[tuple[tuple[float, float], ...]] = ((-1.0, 1.0), (-1.0, 1.0))


def test_a_hand_may_reach_farther_than_training() -> None:
    assert [(part.low, part.high) for part in components(UpperHalf())] == [(-1, 1), (-1, 1)]
    assert [(part.low, part.high) for part in components(UpperHalf(), margin_of_places=0.5)] == [(-2, 2), (-2, 2)]


def test_an_angles_cosine_and_sine_fit_to_each_other() -> None:
    parts = components(Angle())
    made = with_component(parts, np.array([0.6, -0.8]), 0, 0.0)
    np.testing.assert_allclose(made, [0, -1])
    made = with_component(parts, np.array([0.6, -0.8]), 1, 0.5)
    assert np.hypot(*made) == pytest.approx(1) and made[0] > 0
    np.testing.assert_allclose(with_component((Component("velocity", 0, 2),), np.array([1.0]), 0, 5), [2])


def test_a_direction_is_an_arrow_above_the_body() -> None:
    shaft, *barbs = arrow(components(Direction()), np.array([-1.0]), (3.0, 0.0, 0.5), 4.0)
    assert shaft.end[0] < shaft.start[0] == 3.0 and shaft.start[2] > 0.5 and len(barbs) == 2
    (shaft, *_) = arrow(components(Angle()), np.array([0.0, 1.0]), (0.0, 0.0, 0.0), 4.0)
    assert shaft.end[1] > 0.1 and shaft.end[0] == pytest.approx(0)
    assert arrow(components(Velocity()), np.array([1.0]), (0.0, 0.0, 0.0), 4.0) == []


def test_a_changed_context_shows_at_once_until_the_next_episode() -> None:
    player = Player(resolve(POINT, Registry()), "random", seed=2)
    player.step()
    assert [part.name for part in player.components] == ["goal_x", "goal_y"]
    player.set_context(0, 0.31)
    np.testing.assert_allclose(player.context_values()[0], 0.31)
    np.testing.assert_allclose(player.world.observe([0])["goal"][0, 0], 0.31, atol=1e-6)
    np.testing.assert_allclose(player.data.body("task/goal").xpos[0], 0.31)
    moved = player.context_values()
    player.back()
    assert player.context_values()[0] != moved[0], "time goes back with its context"
    player.step()
    np.testing.assert_array_equal(player.context_values(), moved)
    drawn = Player(resolve(POINT, Registry()), "random", seed=3).context_values()
    player.reset(3)
    np.testing.assert_array_equal(player.context_values(), drawn)


def test_a_held_context_stays_over_episodes_until_it_is_let_go() -> None:
    player = Player(resolve(POINT, Registry()), "random", seed=2)
    player.set_context(1, -0.2)
    held = player.context_values()
    player.hold_context(True)
    player.reset(8)
    np.testing.assert_array_equal(player.context_values(), held)
    np.testing.assert_allclose(player.data.body("task/goal").xpos[:2], held)
    player.hold_context(False)
    player.reset(8)
    assert not np.allclose(player.context_values(), held)


def test_a_dragged_mark_is_the_context() -> None:
    player = Player(resolve(POINT, Registry()), "random", seed=2)
    player.perturb.select, player.perturb.active = player.model.body("task/goal").id, 1
    player.perturb.refpos[:] = [0.4, -0.4, 0]
    player.drag_at_rest()
    np.testing.assert_allclose(player.context_values(), [0.4, -0.4])
