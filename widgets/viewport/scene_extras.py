"""Additions to a scene before it is drawn: translucent copies of the robot, and simple shapes in the world."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import Ball, Decoration, Ghost

if TYPE_CHECKING:
    import mujoco


class SceneExtras:
    """Adds to the scenes of one renderer."""

    def __init__(self, mj: ModuleType) -> None:
        self._mj = mj
        self._model: mujoco.MjModel = None  # until :meth:`use`
        self._data: mujoco.MjData = None  # poses the copies, one after the other; made when there are any
        self._ghosts: tuple[Ghost, ...] = ()  # those last drawn
        self._repeated = np.zeros((0, 0), bool)  # (copies, ngeom): what an earlier copy has in the same place
        self._option = mj.MjvOption()
        self._option.sitegroup[:] = 0
        self._no_perturb = mj.MjvPerturb()
        self._geom = int(mj.mjtObj.mjOBJ_GEOM)

    def use(self, model: mujoco.MjModel) -> None:
        """Copy this model from now on."""
        self._model, self._data = model, None
        self._ghosts, self._repeated = (), np.zeros((0, model.ngeom), bool)

    def add_ghosts(
        self, scene: mujoco.MjvScene, data: mujoco.MjData, ghosts: Sequence[Ghost], groups: np.ndarray
    ) -> tuple[Ghost, ...]:
        """Add a copy of all that moves for each ghost, and return those that were added.

        Geoms that several of them have in the same place are drawn once: one over the other they would be opaque.
        Ghosts of another model are left out: they come from before it was replaced.
        """
        mj, model = self._mj, self._model
        if self._data is None:
            self._data = mj.MjData(model)
        fitting = tuple(ghost for ghost in ghosts if len(ghost.pose) == model.nq)
        self._find_repeated(fitting)
        self._option.geomgroup[:] = groups
        pose = self._data
        pose.mocap_pos[:], pose.mocap_quat[:] = data.mocap_pos, data.mocap_quat
        for ghost, repeated in zip(fitting, self._repeated, strict=True):
            pose.qpos[:] = ghost.pose
            mj.mj_kinematics(model, pose)
            first = scene.ngeom
            mj.mjv_addGeoms(model, pose, self._option, self._no_perturb, mj.mjtCatBit.mjCAT_DYNAMIC.value, scene)
            for index in range(first, scene.ngeom):
                shape = scene.geoms[index]
                shape.rgba[:] = ghost.color
                shape.matid = -1
                shape.reflectance = shape.emission = 0.0
                if shape.objtype == self._geom and (repeated[shape.objid] or self._is_target(shape.objid)):
                    shape.rgba[3] = 0.0  # a goal is in the same place in all copies
        return fitting

    def add_decorations(self, scene: mujoco.MjvScene, decorations: Sequence[Decoration]) -> None:
        """Add balls and lines, as many as there is room for."""
        geom = self._mj.mjtGeom
        for shape in decorations[: max(0, scene.maxgeom - scene.ngeom)]:
            made = scene.geoms[scene.ngeom]
            color = np.array(shape.color, np.float32).reshape(4, 1)
            upright = np.eye(3).reshape(9, 1)
            if isinstance(shape, Ball):
                size, place = np.full((3, 1), shape.radius), np.array(shape.center, float).reshape(3, 1)
                self._mj.mjv_initGeom(made, geom.mjGEOM_SPHERE.value, size, place, upright, color)
            else:
                self._mj.mjv_initGeom(
                    made, geom.mjGEOM_CAPSULE.value, np.ones((3, 1)), np.zeros((3, 1)), upright, color
                )
                ends = (np.array(end, float).reshape(3, 1) for end in (shape.start, shape.end))
                self._mj.mjv_connector(made, geom.mjGEOM_CAPSULE.value, shape.width / 2, *ends)
            made.category = self._mj.mjtCatBit.mjCAT_DECOR.value
            scene.ngeom += 1

    def _find_repeated(self, ghosts: tuple[Ghost, ...]) -> None:
        from studio.viewer.pose_overlap import repeated_geoms  # MuJoCo with it: it is loaded on this thread only

        if len(ghosts) != len(self._ghosts) or any(a is not b for a, b in zip(ghosts, self._ghosts)):
            self._ghosts, self._repeated = ghosts, repeated_geoms(self._model, [ghost.pose for ghost in ghosts])

    def _is_target(self, geom: int) -> bool:
        model = self._model
        return bool(model.body_mocapid[model.body_rootid[model.geom_bodyid[geom]]] >= 0)
