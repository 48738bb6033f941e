"""A training's own simulation, seen while it trains: clips of it are played, and nothing is simulated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import mujoco
import numpy as np

from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.scene import Scene, build
from studio.viewer.live import MOVABLE

Array = np.ndarray


class Clip(Protocol):
    """See :class:`studio.viewer.training_tap.Clip`."""

    domain: Domain
    control_hz: float
    qpos: Array
    mocap_pos: Array
    steps: Array
    rewards: Array


class ClipPlayer:
    """Plays clips one after the other, with a player's interface. Until the first comes the body stands at rest.

    What was randomized in the simulation is not here: mass, friction and delay have no looks; colors are the model's.

    Args:
        ask: gives the next clip, once; None: not yet. It is asked when the present one is through.
        domain: what is shown. Clips of another domain are left out, and :attr:`info` then says that it is ``stale``.
    """

    kind: ClassVar[str] = "training"
    perturb: ClassVar[None] = None  # a training is not touched
    by_hand: ClassVar[bool] = False
    moment: ClassVar[tuple[int, int, float]] = (0, 0, 0.0)

    def __init__(self, ask: Callable[[], Any], domain: Domain, registry: Registry) -> None:
        task, embodiment = task_of(domain, registry), embodiment_of(domain, registry)
        scene: Scene = build(embodiment, task, hidden_dynamics=domain.hidden_dynamics)
        self.model: mujoco.MjModel = scene.model
        self.data = mujoco.MjData(self.model)
        if scene.home_qpos is not None and len(scene.home_qpos) == self.model.nq:
            self.data.qpos[:] = scene.home_qpos
        mujoco.mj_forward(self.model, self.data)
        self.domain, self.stale = domain, False
        self._ask = ask
        self._clip: Clip | None = None
        self._at = 0.0  # s within the clip
        self._episodes = 0  # begun while it was watched
        self._step = -1
        self._reward = 0.0

    # -- a player's interface ------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Plays on. At a clip's end its last pose stays until the training has made the next."""
        self._at += seconds
        if self._clip is None or self._at * self._clip.control_hz >= len(self._clip.qpos):
            self._next()
        self._show()

    def step(self) -> None:
        """The next control step."""
        self.advance(1 / self._clip.control_hz if self._clip is not None else 0.0)

    def reset(self, seed: int | None = None) -> None:
        """The training begins its episodes by itself."""

    def set_policy(self, policy: Any) -> None:
        """Who acts is the training's affair."""

    def randomize(self, values: dict[str, Any]) -> None:
        """What varies is the training's affair."""

    def observation_image(self) -> None:
        """What it sees is not handed out."""
        return None

    def joint_values(self) -> Array:
        """Position of each hinge and slide, (njnt,); NaN for other joints."""
        movable = np.isin(self.model.jnt_type, MOVABLE)
        return np.where(movable, self.data.qpos[self.model.jnt_qposadr], np.nan)

    def actuator_values(self) -> Array:
        """Controls are not handed out, (nu,) of NaN."""
        return np.full(self.model.nu, np.nan)

    @property
    def info(self) -> dict[str, Any]:
        """Whether the training's domain has become another; once a clip has come, episodes begun while it was watched,
        the step of the present one and its reward."""
        known = {"training": True, "stale": self.stale, "episode": self._episodes}
        return known | ({"step": self._step, "reward": self._reward} if self._clip is not None else {})

    def close(self) -> None:
        """There is nothing to free."""

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
