"""HalfCheetah, running either way: in the open, and with a wall behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plugins.tasks.half_cheetah import HalfCheetah
from studio.contracts import Ids, task_name

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment


class HalfCheetahOpen(HalfCheetah):
    """Reward |v| − 0.1‖a‖²: forward is as good as backward. It sees where it is."""

    id = "half_cheetah_open"
    title = "HalfCheetah, either direction"
    summary = "Runs in either direction; both are rewarded."
    reference = "Eysenbach et al. 2021, arXiv:2006.13916, section 5 (half cheetah obstacle)"
    gymnasium_id = "HalfCheetahOpen-v0"
    skipped = 0
    wall: ClassVar[bool] = False

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        if self.wall:  # two meters behind its middle
            place = {"pos": [-3, 0, 1], "size": [1, 2, 1], "rgba": [0.35, 0.37, 0.42, 1]}
            wall = {"name": task_name("wall"), "type": mujoco.mjtGeom.mjGEOM_BOX, "contype": 0, "conaffinity": 1}
            spec.worldbody.add_geom(**wall, **place)

    def speed(self, ids: Ids) -> np.ndarray:
        return np.abs(super().speed(ids))


class HalfCheetahWall(HalfCheetahOpen):
    """The same with a wall behind it, through which it cannot run backward."""

    id = "half_cheetah_wall"
    title = "HalfCheetah with a wall"
    summary = "Runs in either direction, but a wall blocks the way back."
    gymnasium_id = "HalfCheetahWall-v0"
    wall = True
