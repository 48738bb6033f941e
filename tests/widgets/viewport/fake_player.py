"""A player over a small scene, or a shipped robot, that waves its first joint."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from studio.contracts import Decoration, Ghost, PlayerInfo, PolicyChoice
from studio.errors import StudioError
from studio.viewer.base_player import BasePlayer

SMALL = """
<mujoco>
  <visual><global azimuth="120" elevation="-20"/></visual>
  <worldbody>
    <light pos="0 0 3"/>
    <geom name="floor" type="plane" size="0 0 1" rgba="0.5 0.6 0.7 1"/>
    <body name="arm" pos="0 0 0.2">
      <joint name="turn" axis="0 0 1"/>
      <geom type="box" size="0.3 0.05 0.05" pos="0.3 0 0" rgba="1 0 0 1"/>
    </body>
    <camera name="front" pos="1.6 0 0.6" xyaxes="0 1 0 -0.3 0 1"/>
    <camera name="top" pos="0 0 2" xyaxes="1 0 0 0 1 0"/>
  </worldbody>
</mujoco>
"""
EPISODE = 2.0  # s
STEP = 0.1  # s, one control step


class FakePlayer(BasePlayer):
    """Records what it is asked to do and on which thread."""

    kind = "world"

    def __init__(self, model: Path | None = None, fails: bool = False, has_expert: bool = True) -> None:
        source = mujoco.MjModel.from_xml_path(str(model)) if model else mujoco.MjModel.from_xml_string(SMALL)
        super().__init__(source)
        self._home = self.model.key_qpos[0].copy() if self.model.nkey else self.model.qpos0.copy()
        self.fails, self.has_expert = fails, has_expert
        self.policy: PolicyChoice = "expert"
        self.values: dict[str, Any] = {}
        self.seed = 0
        self.steps = self.episode = self.successes = 0
        self.time = 0.0
        self.threads = {threading.get_ident()}
        self.closed = False
        self.shown_overlays: Sequence[Decoration] = ()
        self.shown_ghosts: Sequence[Ghost] = ()
        self._pose()

    def advance(self, seconds: float) -> None:
        self.threads.add(threading.get_ident())
        if self.fails:
            raise ValueError("the policy gave NaN")
        self.time += seconds
        if self.time >= EPISODE:
            self.time -= EPISODE
            self.episode += 1
            self.successes += 1
        self._pose()

    def step(self) -> None:
        self.steps += 1
        self.advance(STEP)

    def reset(self, seed: int | None = None) -> None:
        self.seed = seed if seed is not None else self.seed
        self.time = 0.0
        self._pose()

    def set_policy(self, policy: PolicyChoice) -> None:
        if policy == "expert" and not self.has_expert:
            raise StudioError("The task has no scripted expert.")
        self.policy = policy

    def randomize(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    def observation_image(self) -> np.ndarray:
        image = np.zeros((64, 64, 3), np.uint8)
        image[:, :, 1] = np.clip(128 * self.values.get("brightness", 1.0), 0, 255)
        return image

    @property
    def info(self) -> PlayerInfo:
        return {
            "time": self.time,
            "episode": self.episode,
            "step": int(self.time / STEP),
            "success": False,
            "successes": self.successes,
            "return_": 0.0,
        }

    @property
    def overlays(self) -> Sequence[Decoration]:
        return self.shown_overlays

    @property
    def ghosts(self) -> Sequence[Ghost]:
        return self.shown_ghosts

    def close(self) -> None:
        self.closed = True

    def _pose(self) -> None:
        self.data.qpos[:] = self._home
        self.data.qpos[0] += np.sin(2 * np.pi * self.time / EPISODE)
        mujoco.mj_forward(self.model, self.data)
