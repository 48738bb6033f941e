"""The exact posterior of a goal in the plane, drawn beside the goals: a ring for each number of shots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from studio.run.belief import Belief

APART = 0.06  # of the goals' distance: from one ring to the next
OUTERMOST = 1.3  # of the goals' distance: nothing is drawn farther out
IN_SCENE = 60  # places of a ring that are drawn in the scene


def ring(belief: Belief, place: int) -> np.ndarray:
    """Return the goals that are possible, moved outward to the ring of the ``place``-th number of shots, (n, 2), m."""
    possible = belief.contexts[belief.probabilities > 0, :2]
    return np.asarray((1 + APART * (place + 1)) * possible).reshape(-1, 2)


def ring_in_scene(belief: Belief, place: int) -> np.ndarray:
    """Return some places of the ring on the ground, (n, 3), m."""
    places = ring(belief, place)
    some = places[:: max(1, len(places) // IN_SCENE)]
    return np.concatenate([some, np.zeros((len(some), 1))], 1)
