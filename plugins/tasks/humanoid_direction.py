"""Humanoid's family: walk in a direction of the plane."""

from __future__ import annotations

import numpy as np

from plugins.tasks.humanoid import Humanoid
from studio.contracts import Ids
from studio.sim.tasks.families import PlaneDirection


class HumanoidDirection(PlaneDirection, Humanoid):
    """As Humanoid, but for the speed along ω = (cos θ, sin θ), θ uniform."""

    id = "humanoid_direction"
    title = "Humanoid, direction"
    summary = "Walks in the direction in the plane given by the context."
    reference = "Rakelly et al. 2019, arXiv:1903.08254, appendix (Humanoid-Direc-2D)"
    gymnasium_id = "HumanoidDirection-v0"

    def planar(self, ids: Ids) -> np.ndarray:
        # a product of matrices would add in another order for one simulation than for many
        return np.asarray((self._centers[ids][:, :, :2] * self._shares[:, None]).sum(1))
