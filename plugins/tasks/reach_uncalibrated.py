"""Touch a ball whose position is measured by a camera that stands otherwise than assumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from plugins.tasks.reach import Reach, X
from studio.contracts import Ids, Simulation

Array = np.ndarray


class ReachUncalibrated(Reach):
    """A family of tasks: ω is the error of the camera's calibration, which turns and shifts the ball's coordinates.

    Nothing that the policy observes reveals ω; a demonstration does: it ends where the ball really is. Two
    demonstrations determine ω.
    """

    id = "reach_uncalibrated"
    title = "Reach, uncalibrated"
    summary = "Touch a ball whose coordinates come from a camera with an unknown error in its calibration."
    reference = "Hand-eye calibration: Tsai and Lenz 1989, IEEE Transactions on Robotics and Automation 5(3)"
    version = 1
    gymnasium_id = "ReachUncalibrated-{embodiment}-v0"
    observations = ("goal",)
    context = ("yaw", "x", "y")  # rad, m, m
    ranges = ((-0.6, 0.6), (-0.12, 0.12), (-0.12, 0.12))

    def goal(self, world: Simulation, ids: Ids) -> Array:
        """Return the ball's position as the camera measures it, (n, 3), m.

        The camera's error turns it by ω's yaw about the middle of where the balls lie, and shifts it along x and y.
        """
        yaw, x, y = world.contexts[ids].T
        middle = 0.0 if world.embodiment.kind == "base" else sum(X) / 2
        ball = self.ball(world, ids)
        across, along = ball[:, 0] - middle, ball[:, 1]
        return np.stack(
            [
                middle + np.cos(yaw) * across - np.sin(yaw) * along + x,
                np.sin(yaw) * across + np.cos(yaw) * along + y,
                ball[:, 2],
            ],
            1,
        )

    def achieved(self, observation: Mapping[str, Any]) -> Any:
        """Raise NotImplementedError: which goal a position reaches depends on ω, which is not observed."""
        raise NotImplementedError
