"""Ant's family: walk in a direction of the plane."""

from __future__ import annotations

import numpy as np

from plugins.tasks.ant import TORSO, Ant
from studio.contracts import Ids
from studio.sim.tasks.families import PlaneDirection


class AntDirection(PlaneDirection, Ant):
    """As Ant, but for the speed along ω = (cos θ, sin θ), θ uniform."""

    id = "ant_direction"
    title = "Ant, direction"
    summary = "Walks in the direction in the plane given by the context."
    reference = "Finn, Abbeel and Levine 2017, arXiv:1703.03400, section 5.3; Rakelly et al. 2019, arXiv:1903.08254"
    gymnasium_id = "AntDirection-v0"

    def planar(self, ids: Ids) -> np.ndarray:
        return self._places[ids][:, TORSO, :2]
