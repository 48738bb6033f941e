"""A player of a model file: it is simulated as it is, and its actuators obey their sliders. Single-threaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mujoco.batch
import numpy as np

from studio.contracts import PlayerInfo
from studio.sim.robots.files import read_model
from studio.sim.scene import compile_spec
from studio.viewer.live import LiveSimulation

STEP_SECONDS = 0.02  # about how long a step of this player is


class ModelPlayer(LiveSimulation):
    """Any MJCF or URDF file, as it is: nothing is added to it.

    Raises:
        DataError: the file is missing or does not compile.
    """

    def __init__(self, path: Path) -> None:
        model = compile_spec(read_model(path), str(path))
        self.path = path
        self._substeps = max(1, round(STEP_SECONDS / model.opt.timestep))
        # persistent, because a model that lets bodies sleep asks for it
        batch = mujoco.batch.Batch(model, 1, 1, persistent=True)
        super().__init__(batch, 1 / (self._substeps * model.opt.timestep), 1)
        self._ids = np.zeros(1, int)
        self.by_hand = True
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Take the pose of the model's first keyframe, or its default pose."""
        self.batch.reset(self._ids, **({"keyframe": 0} if self.model.nkey else {}))
        self._drop_step()
        self._remember()
        self._update_data()

    @property
    def info(self) -> PlayerInfo:
        """The present time, s."""
        return {"time": float(self.data.time)}

    def _control_step(self) -> Iterator[Any]:
        self.batch.step(self._ids, nstep=self._substeps)
        yield 1.0
