"""The mouse's hand on a body: selecting it, pulling and turning it as MuJoCo's own viewers do. Render thread only."""

from __future__ import annotations

from typing import Any

import numpy as np

PULL, TURN = "pull", "turn"


class Grab:
    """Writes the player's ``MjvPerturb``; players that cannot be touched have none."""

    def __init__(self, mujoco: Any) -> None:
        self._mj = mujoco
        self._held = 0  # serial number of the press that is held
        self._flat = False  # in the horizontal plane, as Shift asks

    def select(self, player: Any, renderer: Any, x: float, y: float, aspect: float) -> None:
        """Selects the body under (x, y) in [0, 1] from the upper left; nothing there: keeps the one there was."""
        perturb = getattr(player, "perturb", None)
        body, point = renderer.pick(player.data, x, y, aspect)
        if perturb is None or body <= 0 or point is None:
            return
        data = player.data
        perturb.select = body
        perturb.flexselect = perturb.skinselect = -1
        perturb.localpos[:] = np.array(data.xmat[body]).reshape(3, 3).T @ (point - data.xpos[body])

    def clear(self, player: Any) -> None:
        """Selects nothing."""
        perturb = getattr(player, "perturb", None)
        if perturb is not None:
            perturb.select = perturb.active = 0

    def take(self, player: Any, renderer: Any, how: str, flat: bool, serial: int) -> None:
        """The button is down: the selected body is held, to be pulled or turned."""
        perturb = getattr(player, "perturb", None)
        if perturb is None or perturb.select <= 0:
            return
        bit = self._mj.mjtPertBit
        wanted = (bit.mjPERT_TRANSLATE if how == PULL else bit.mjPERT_ROTATE).value
        self._flat = flat
        if serial != self._held or perturb.active != wanted:
            self._mj.mjv_initPerturb(player.model, player.data, renderer.scene, perturb)
            perturb.active, self._held = wanted, serial

    def drag(self, player: Any, renderer: Any, dx: float, dy: float) -> None:
        """The mouse moved by (dx, dy), in heights of the view."""
        perturb = getattr(player, "perturb", None)
        if perturb is None or not perturb.active:
            return
        mouse, turning = self._mj.mjtMouse, perturb.active == self._mj.mjtPertBit.mjPERT_ROTATE.value
        if turning:
            action = mouse.mjMOUSE_ROTATE_H if self._flat else mouse.mjMOUSE_ROTATE_V
        else:
            action = mouse.mjMOUSE_MOVE_H if self._flat else mouse.mjMOUSE_MOVE_V
        self._mj.mjv_movePerturb(player.model, player.data, action.value, dx, dy, renderer.scene, perturb)

    def release(self, player: Any) -> None:
        """The button is up: the force ends, the body stays selected."""
        perturb = getattr(player, "perturb", None)
        if perturb is not None:
            perturb.active = 0

    def name(self, player: Any) -> str:
        """Of the selected body; empty: none."""
        perturb = getattr(player, "perturb", None)
        if perturb is None or not 0 < perturb.select < player.model.nbody:
            return ""
        return player.model.body(perturb.select).name or f"body {perturb.select}"
