"""Samples as translucent robots: what their labels say, and that many of them stay translucent together."""

from __future__ import annotations

import numpy as np

from widgets.randomization.sample_ghosts import OPACITY, TOGETHER, ghosts

POSES = np.arange(6.0).reshape(3, 2)


def test_a_label_says_what_differs_and_which_look_alike(qapp: object) -> None:
    values = {"mass": np.array([0.8, 1.0, 1.2]), "damping:elbow": np.array([0.5, 2.0, 1.0]), "gravity": np.ones(3)}
    first, alone = ghosts(POSES, values, [[0, 2], [1]])
    assert first.label == "1, 3 look alike: damping of elbow 0.5–1 ×, mass 0.8–1.2 ×"
    assert alone.label == "2: damping of elbow 2 ×, mass 1 ×"
    np.testing.assert_array_equal(alone.pose, POSES[1])
    (every,) = ghosts(POSES, values, [[0, 1, 2]])
    assert every.label.startswith("all 3 samples look alike: ")


def test_only_what_moves_the_robot_is_named(qapp: object) -> None:
    values = {"brightness": np.array([0.5, 1.0, 1.5]), "mass": np.array([0.8, 0.8, 0.8])}
    assert [ghost.label for ghost in ghosts(POSES, values, [[0], [1], [2]])] == ["1", "2", "3"]


def test_robots_over_each_other_stay_translucent(qapp: object) -> None:
    for groups in ([[0]], [[0], [1]], [[0], [1], [2]]):
        opacities = np.array([ghost.color[3] for ghost in ghosts(POSES, {}, groups)])
        assert opacities.max() <= OPACITY and 1 - np.prod(1 - opacities) <= TOGETHER + 1e-9
