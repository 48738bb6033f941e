"""Camera, lights and colors of the model that is drawn, as they are randomized in its simulation."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import mujoco
import numpy as np

from studio.sim.randomization import fields as randomization
from studio.sim.randomization.visual import VISUALS, Appearance, VisualParams, VisualTarget

Array = np.ndarray


class ModelLook:
    """Gives the model that is drawn the look of a world's simulation.

    Args:
        camera: the one that observes, by index; −1: there is none, and nothing changes.
        kept: names of bodies whose colors have a meaning and never vary.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, camera: int, kept: Collection[str]) -> None:
        self._model, self._data = model, data
        self._own = Appearance(model, camera, kept) if camera >= 0 else None
        self._target = VisualTarget(model, camera) if camera >= 0 else None
        self._applied = b""  # the values that the model has
        self._visual: VisualParams | None = None  # None: the model's own

    def forget(self) -> None:
        """Apply everything again next time: the model took other values meanwhile."""
        self._applied = b""

    def apply(self, drawn: Mapping[str, Array]) -> None:
        """Apply what was drawn for the simulation; lights are posed at every call."""
        values = b"".join([drawn[name].tobytes() for name in VISUALS])
        if values == self._applied:
            if self._visual is not None:
                self._visual.move_lights(0, self._data)
            return
        self._applied = values
        varied = {name: drawn[name] for name in VISUALS if not randomization.is_nominal(name, drawn[name])}
        if self._own is None or self._target is None or not (varied or self._visual):
            return
        visual = VisualParams(self._own, varied, 1)
        self._target.intensity, self._target.tinted = float("nan"), True  # the batch may have put the model's own back
        visual.apply(0, self._target)
        mujoco.mj_camlight(self._model, self._data)
        visual.move_lights(0, self._data)
        self._visual = visual if varied else None
