"""Selecting, pulling and turning a body with the mouse, as in MuJoCo's own viewers. Render thread only."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import PlayerProtocol
from widgets.viewport.model_sheet import DIRECTION

if TYPE_CHECKING:
    import mujoco

    from widgets.viewport.scene_renderer import SceneRenderer

PULL, TURN = "pull", "turn"
NEAR = 0.05  # heights of the view: a press as close to the tip of an arrow takes hold of it


class PerturbController:
    """Writes the player's ``MjvPerturb``; players that cannot be touched have none."""

    def __init__(self, mujoco: ModuleType) -> None:
        self._mj = mujoco
        self._held = 0  # serial number of the press that is held
        self._flat = False  # in the horizontal plane, while Shift is held
        self._tip = False  # what was pressed last is the tip of an arrow
        self._reach: np.ndarray | None = None  # from the arrow's foot to the hand that holds its tip, (3,) m
        self._slides = False  # what is held is a mark that follows the mouse over its plane

    def select(self, player: PlayerProtocol, renderer: SceneRenderer, x: float, y: float, aspect: float) -> None:
        """Select the body under (x, y), in [0, 1] from the upper left; where there is none, the selection stays."""
        self._tip = self._at_tip(player, renderer, x, y, aspect)
        if self._tip:
            self.clear(player)
            return
        perturb = player.perturb
        body, point = renderer.pick(player.data, x, y, aspect)
        if perturb is None or body <= 0 or point is None:
            return
        data = player.data
        perturb.select = body
        perturb.flexselect = perturb.skinselect = -1
        perturb.localpos[:] = np.array(data.xmat[body]).reshape(3, 3).T @ (point - data.xpos[body])

    def clear(self, player: PlayerProtocol) -> None:
        """Select nothing."""
        perturb = player.perturb
        if perturb is not None:
            perturb.select = perturb.active = 0

    def take(self, player: PlayerProtocol, renderer: SceneRenderer, how: str, flat: bool, serial: int) -> None:
        """Hold the selected body, to pull or turn it.

        Args:
            how: ``pull`` or ``turn``.
            flat: in the horizontal plane.
            serial: number of the press of the button.
        """
        if self._tip and player.aim is not None:
            self._reach = np.array(player.aim[1]) - np.array(player.aim[0])
            return
        perturb = player.perturb
        if perturb is None or perturb.select <= 0:
            return
        bit = self._mj.mjtPertBit
        sliding = perturb.select in player.sliding_marks
        marks = sliding or player.model.body_mocapid[perturb.select] >= 0
        # a mark has nothing to be turned by: it slides in its plane; where it may leave it, the pulling button lifts it
        self._slides = marks and (how == TURN or flat or sliding or player.goal_in_plane)
        how = PULL if marks else how
        wanted = (bit.mjPERT_TRANSLATE if how == PULL else bit.mjPERT_ROTATE).value
        self._flat = flat
        if serial != self._held or perturb.active != wanted:
            self._mj.mjv_initPerturb(player.model, player.data, renderer.scene, perturb)
            perturb.active, self._held = wanted, serial

    def drag(self, player: PlayerProtocol, renderer: SceneRenderer, dx: float, dy: float) -> None:
        """Move what is held by a drag of (dx, dy), in heights of the view."""
        if self._reach is not None and player.aim is not None:
            foot = np.array(player.aim[0])
            self._reach += move_in_plane(renderer.scene, foot + self._reach, dx, dy, float(player.model.stat.extent))
            player.aim_at(foot + self._reach)
            return
        perturb = player.perturb
        if perturb is None or not perturb.active:
            return
        if self._slides:
            slide(renderer.scene, perturb, dx, dy, float(player.model.stat.extent))
            return
        mouse, turning = self._mj.mjtMouse, perturb.active == self._mj.mjtPertBit.mjPERT_ROTATE.value
        if turning:
            action = mouse.mjMOUSE_ROTATE_H if self._flat else mouse.mjMOUSE_ROTATE_V
        else:
            action = mouse.mjMOUSE_MOVE_H if self._flat else mouse.mjMOUSE_MOVE_V
        self._mj.mjv_movePerturb(player.model, player.data, action.value, dx, dy, renderer.scene, perturb)

    def release(self, player: PlayerProtocol) -> None:
        """Let go: the force ends, the body stays selected."""
        self._reach = None
        perturb = player.perturb
        if perturb is not None:
            perturb.active = 0

    def name(self, player: PlayerProtocol) -> str:
        """Return the name of the selected body; empty: none."""
        if self._reach is not None:
            return DIRECTION
        perturb = player.perturb
        if perturb is None or not 0 < perturb.select < player.model.nbody:
            return ""
        return str(player.model.body(perturb.select).name) or f"body {perturb.select}"

    def _at_tip(self, player: PlayerProtocol, renderer: SceneRenderer, x: float, y: float, aspect: float) -> bool:
        aim = player.aim
        if aim is None or renderer.scene is None:
            return False
        across, up, depth = project(renderer.scene, np.array(aim[1]))
        return depth > 0 and float(np.hypot((x - 0.5) * aspect - across / 2, 0.5 - y - up / 2)) < NEAR


def project(scene: mujoco.MjvScene, point: np.ndarray) -> tuple[float, float, float]:
    """Return (right, up, depth) of a point in the world, (3,): half heights of the picture from its middle, and m."""
    eye, forward, up, right, half = _eye(scene)
    depth = float((point - eye) @ forward)
    return float((point - eye) @ right / (depth * half)), float((point - eye) @ up / (depth * half)), depth


def _eye(scene: mujoco.MjvScene) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    """Return the eye's place, its directions forward, up and right, and the tangent of half the angle of view."""
    cameras = scene.camera
    eye = (np.array(cameras[0].pos, float) + np.array(cameras[1].pos, float)) / 2
    forward, up = np.array(cameras[0].forward, float), np.array(cameras[0].up, float)
    return eye, forward, up, np.cross(forward, up), float(cameras[0].frustum_top / cameras[0].frustum_near)


def move_in_plane(scene: mujoco.MjvScene, point: np.ndarray, dx: float, dy: float, extent: float) -> np.ndarray:
    """Return the move (3,), m, that keeps a point in its horizontal plane and under the mouse.

    Args:
        dx, dy: move of the mouse, in heights of the view.
        extent: m, the longest move: towards the horizon a small move of the mouse is a long way.
    """
    eye, forward, up, right, half = _eye(scene)
    x, y, depth = project(scene, point)
    ray = forward + half * ((x + 2 * dx) * right + (y - 2 * dy) * up)
    if depth <= 0 or abs(ray[2]) < 1e-6 or (point[2] - eye[2]) / ray[2] <= 0:
        return np.zeros(3)  # behind the eye, at the horizon, or above it
    move = eye + ray * (point[2] - eye[2]) / ray[2] - point
    return np.asarray(move * min(1.0, extent / (np.linalg.norm(move) + 1e-9)))


def slide(scene: mujoco.MjvScene, perturb: mujoco.MjvPerturb, dx: float, dy: float, extent: float) -> None:
    """Move what an ``MjvPerturb`` holds within its horizontal plane, so that it stays under the mouse."""
    move = move_in_plane(scene, np.array(perturb.refselpos, float), dx, dy, extent)  # where the mouse holds it
    perturb.refpos += move
    perturb.refselpos += move
