"""The base class of players: one that shows a model at rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import mujoco
import numpy as np

from studio.contracts.decorations import Color, Decoration, Ghost, Point
from studio.contracts.player import ContextComponent, PlayerInfo, PlayerProtocol, PolicyChoice, RandomizationValues

Array = np.ndarray
MOVABLE = (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE))  # joints of one number


class BasePlayer(PlayerProtocol):
    """Shows a model as it is, and can do nothing: a subclass overrides what it can do.

    Args:
        model: its data are made here, at the default pose.
    """

    kind: str = "model"
    by_hand: bool = False
    perturb: mujoco.MjvPerturb | None = None
    sliding_marks: Mapping[int, Array] = MappingProxyType({})
    goal_in_plane: bool = False
    changes: Sequence[str] = ()
    components: Sequence[ContextComponent] = ()

    def __init__(self, model: mujoco.MjModel) -> None:
        self.model = model
        self.data = mujoco.MjData(model)

    @property
    def info(self) -> PlayerInfo:
        return {}

    @property
    def moment(self) -> tuple[int, int, float]:
        return 0, 0, 0.0

    def close(self) -> None:
        pass

    def advance(self, seconds: float) -> None:
        pass

    def step(self) -> None:
        pass

    def back(self) -> None:
        pass

    def seek(self, index: int) -> None:
        pass

    def reset(self, seed: int | None = None) -> None:
        pass

    def choose(self, episode: int) -> None:
        pass

    def set_policy(self, policy: PolicyChoice) -> None:
        pass

    def randomize(self, values: RandomizationValues) -> None:
        pass

    def context_values(self) -> Array | None:
        return None

    def set_context(self, component: int, value: float) -> None:
        pass

    def hold_context(self, on: bool) -> None:
        pass

    @property
    def aim(self) -> tuple[Point, Point] | None:
        return None

    def aim_at(self, point: Array) -> None:
        pass

    def drag_at_rest(self) -> None:
        pass

    def pose(self, joint: int, value: float) -> None:
        pass

    def set_ctrl(self, actuator: int, value: float) -> None:
        pass

    def keyframe(self, key: int) -> None:
        pass

    def joint_values(self) -> Array | None:
        movable = np.isin(self.model.jnt_type, MOVABLE)
        return np.where(movable, self.data.qpos[self.model.jnt_qposadr], np.nan)

    def actuator_values(self) -> Array | None:
        return np.full(self.model.nu, np.nan)

    def observation_image(self) -> Array | None:
        return None

    def traces(self) -> Mapping[str, Array] | None:
        return None

    @property
    def overlays(self) -> Sequence[Decoration]:
        return ()

    @property
    def ghosts(self) -> Sequence[Ghost]:
        return ()

    @property
    def named_colors(self) -> Sequence[tuple[str, Color]]:
        return ()

    @property
    def places(self) -> Array | None:
        return None

    @property
    def legend(self) -> tuple[str, float] | None:
        return None
