"""A preview in the viewport's player: values by key, and looks that are seen and taken off again."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest

from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.viewer.player import Player

REGISTRY = Registry()


def look(player: Player) -> list[np.ndarray]:
    """All that the picture of a scene at rest depends on."""
    model, data = player.model, player.data
    camera = model.camera(player.world.domain.camera).id
    parts = [model.geom_rgba, model.light_diffuse, model.vis.headlight.diffuse, model.cam_fovy[[camera]]]
    return [np.array(part) for part in (*parts, data.cam_xpos[camera], data.light_xpos, data.light_xdir)]


@pytest.mark.parametrize(
    ("key", "value", "changed"),
    [
        ("color", [0.5, 0.5, 1.5], [0]),
        ("light_intensity", 0.5, [1, 2]),
        ("camera_fov", 80.0, [3]),
        ("camera_position", [0.1, 0.0, 0.0], [4]),
        ("light_position", [1.0, 0.5, 0.0], [5, 6]),
    ],
)
def test_a_look_is_put_on_at_once_and_taken_off_to_the_bit(key: str, value: Any, changed: list[int]) -> None:
    player = Player(resolve(Domain(embodiment="ur5_6dof", task="reach", observation="goal"), REGISTRY))
    plain = look(player)
    player.randomize({key: value})
    for i, (before, after) in enumerate(zip(plain, look(player), strict=True)):
        assert np.array_equal(before, after) == (i not in changed) or i in (0, 5, 6), (key, i)
    assert any(not np.array_equal(plain[i], look(player)[i]) for i in changed)
    goal = player.model.geom_bodyid == player.model.body("task/goal").id
    np.testing.assert_array_equal(player.model.geom_rgba[goal], plain[0][goal])
    player.randomize({})
    for before, after in zip(plain[1:], look(player)[1:], strict=True):
        np.testing.assert_array_equal(before, after)
    player.step()
    player.close()


def test_values_of_some_parts_are_previewed_by_key() -> None:
    terms = [{"field": "mass", "parts": "torso", "low": 1.5, "high": 2.0}]
    body = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}
    player = Player(resolve(Domain(randomization=terms, **body), REGISTRY), "random")
    own = player.world.model.body_mass
    drawn = player.model.body_mass[1] / own[1]
    assert 1.5 <= drawn <= 2.0
    player.randomize({"mass:foot": 0.5})  # a row that is not in the experiment yet
    np.testing.assert_allclose(player.model.body_mass[4], 0.5 * own[4])
    np.testing.assert_allclose(player.model.body_mass[1], own[1])
    player.randomize({})
    np.testing.assert_allclose(player.model.body_mass[[1, 4]], [drawn * own[1], own[4]])
    assert isinstance(player.model, mujoco.MjModel)
    player.close()
