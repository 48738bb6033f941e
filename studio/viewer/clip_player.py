"""A player of a training's own simulation while it trains: it plays clips and simulates nothing."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np

from studio.contracts import PlayerInfo, ResolvedDomain
from studio.sim.scene import Scene, build
from studio.viewer.base_player import BasePlayer
from studio.viewer.training_tap import Clip

Array = np.ndarray


class ClipPlayer(BasePlayer):
    """Plays clips one after the other. Until the first one the robot is at rest.

    Randomized values are not shown: mass, friction and delay cannot be seen, and colors are the model's.

    Args:
        ask: gives the next clip, once; None: not yet. It is asked when the present one is through.
        resolved: the domain that is shown. Clips of another domain are left out, and :attr:`info` then says that it is
            ``stale``.
    """

    kind = "training"

    def __init__(self, ask: Callable[[], Clip | None], resolved: ResolvedDomain) -> None:
        domain = resolved.domain
        scene: Scene = build(resolved.embodiment, resolved.new_task(), hidden_dynamics=domain.hidden_dynamics)
        super().__init__(scene.model)
        if scene.home_qpos is not None and len(scene.home_qpos) == self.model.nq:
            self.data.qpos[:] = scene.home_qpos
        mujoco.mj_forward(self.model, self.data)
        self.domain, self.stale = domain, False
        self._ask = ask
        self._clip: Clip | None = None
        self._at = 0.0  # s within the clip
        self._episodes = 0  # that started while it was shown
        self._step = -1
        self._reward = 0.0

    # -- a player's interface ------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Play on. At a clip's end its last pose stays until the training has made the next."""
        self._at += seconds
        if self._clip is None or self._at * self._clip.control_hz >= len(self._clip.qpos):
            self._next()
        self._show()

    def step(self) -> None:
        """Go one control step on."""
        self.advance(1 / self._clip.control_hz if self._clip is not None else 0.0)

    @property
    def info(self) -> PlayerInfo:
        """``stale`` if the training has another domain by now; episode; after the first clip step and reward."""
        info: PlayerInfo = {"training": True, "stale": self.stale, "episode": self._episodes}
        return info if self._clip is None else {**info, "step": self._step, "reward": self._reward}

    # -- inside --------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        clip = self._ask()
        if clip is None:
            return
        if clip.domain != self.domain:
            self.stale = True
            return
        self._clip, self._at = clip, 0.0

    def _show(self) -> None:
        clip = self._clip
        if clip is None:
            return
        frame = min(int(self._at * clip.control_hz), len(clip.qpos) - 1)
        self.data.qpos[:] = clip.qpos[frame]
        self.data.mocap_pos[:] = clip.mocap_pos[frame]
        step = int(clip.steps[frame])
        self._episodes += step < self._step
        self._step, self._reward = step, float(clip.rewards[frame])
        self.data.time = step / clip.control_hz
        mujoco.mj_forward(self.model, self.data)
