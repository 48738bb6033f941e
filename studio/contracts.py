"""What a plugin may contribute, and the words the rooms speak with each other.

Arrays are batch first. Nothing here imports torch, MuJoCo or Qt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from pydantic import BaseModel

from studio.experiment import Experiment, Settings

if TYPE_CHECKING:
    import mujoco

    from studio.data.episodes import Episodes
    from studio.run.context import Context

Array = np.ndarray
Observation = dict[str, Any]  # "image" (n, h, w, 3) uint8, "joint_pos", "eef_pos", "goal": see studio.sim.world
SLOTS = 32  # width of the unified action space


@dataclass(frozen=True)
class Problem:
    """Why an experiment cannot start: plain words, the dotted field it belongs to, and what mends it."""

    field: str
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Metrics:
    """What one iteration found. ``values`` maps a name to a number; names in ``Strategy.units`` carry units."""

    step: int
    total: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Limb:
    """One chain of joints that ends in something that touches: an arm, or a driving base.

    Slots are this limb's places in the unified action space: one for each joint in joint control, and one for each
    of x, y, z (an arm) or x, y, yaw (a base) in end-effector control.
    """

    site: str
    joints: tuple[str, ...]
    actuators: tuple[str, ...]
    joint_slots: tuple[int, ...]
    end_effector_slots: tuple[int, ...]


@dataclass(frozen=True)
class Embodiment:
    """A robot: its MJCF or URDF model, its limbs, its cameras, its slots in the unified action space."""

    id: str
    title: str
    summary: str
    reference: str
    model: Path
    kind: Literal["arm", "base"]
    limbs: tuple[Limb, ...]
    cameras: tuple[str, ...]
    home: str = "home"  # the keyframe of the resting pose; empty: the model's defaults

    @property
    def dof(self) -> int:
        """Controlled degrees of freedom."""
        return sum(len(limb.joints) for limb in self.limbs)

    def slots(self, control: str) -> tuple[int, ...]:
        """Places of the native action's components in the unified action space, in native order."""
        joint = control == "joint"
        return tuple(s for limb in self.limbs for s in (limb.joint_slots if joint else limb.end_effector_slots))


class Simulation(Protocol):
    """What a task sees of the batched simulator. Rows are simulations; ``ids`` selects some of them."""

    embodiment: Embodiment
    num_envs: int

    def end_effectors(self, ids: Array) -> Array:
        """World positions of the limbs' sites, (n, limbs, 3), m."""

    def yaw(self, ids: Array) -> Array:
        """Heading of a driving base, (n,), rad; 0 for an arm."""

    def mocap(self) -> Array:
        """Live positions of the task's mocap bodies, (num_envs, bodies, 3), m. Write to move them."""


class Task:
    """What is to be done. Written once, over batch-first arrays, for every embodiment it makes sense for."""

    id: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    horizon: ClassVar[int]  # control steps in an episode
    control_hz: ClassVar[int]  # control steps a second
    step_size: ClassVar[float]  # m an end effector moves in one step at action 1
    version: ClassVar[int] = 1  # raise it when the task changes: what was cached for it is made anew

    def check(self, embodiment: Embodiment) -> list[Problem]:
        """Why this embodiment cannot do this task; empty if it can."""
        return []

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        """Adds the task's bodies to the embodiment's model."""
        raise NotImplementedError

    def reset(self, world: Simulation, ids: Array, rngs: list[np.random.Generator]) -> None:
        """Draws a new episode for each simulation in ``ids``, one generator each."""
        raise NotImplementedError

    def goal(self, world: Simulation, ids: Array) -> Array:
        """The goal's coordinates, (n, 3), m. Policies see them only where the domain's observation is ``goal``."""
        raise NotImplementedError

    def reward(self, world: Simulation, ids: Array) -> Array:
        """Reward of the present state, (n,)."""
        raise NotImplementedError

    def success(self, world: Simulation, ids: Array) -> Array:
        """Whether the present state is a success, (n,) bool. A success ends the episode."""
        raise NotImplementedError

    def expert(self, world: Simulation, ids: Array) -> Array:
        """The scripted expert's end-effector action, (n, limbs, 3), in [−1, 1]."""
        raise NotImplementedError


class Policy(Protocol):
    """Anything that acts, batch first."""

    def act(self, observation: Observation, memory: Any = None) -> tuple[Any, Any]:
        """Native actions (n, dof of the domain's control), ready for ``World.step``, and the new memory."""

    def parameters(self) -> Iterator[Any]:
        """Trainable and frozen parameters."""


class Strategy:
    """A way to carry knowledge from a source domain to a target domain. One file in ``plugins/strategies``."""

    id: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]  # the paper or document
    needs_source: ClassVar[bool] = True  # False: no source policy is trained for it
    units: ClassVar[Mapping[str, str]] = {}
    tags: ClassVar[tuple[str, ...]] = ()

    class Params(Settings):
        """No parameters."""

    def __init__(self, params: BaseModel | None = None) -> None:
        self.params: Any = params if params is not None else self.Params()

    def check(self, experiment: Experiment) -> list[Problem]:
        """Why this experiment cannot run with this strategy; empty if it can."""
        return []

    def setup(self, context: Context) -> None:
        """Takes what it needs of the context: policies, dataset, device, seeds, budget."""
        raise NotImplementedError

    def iterate(self) -> Iterator[Metrics]:
        """Trains; yields after every iteration. Continues from the loaded state."""
        raise NotImplementedError

    def policy(self) -> Any:
        """What is evaluated, shown and exported."""
        raise NotImplementedError

    def merged_policy(self) -> Any:
        """The policy with any adapter folded in; it loads without the strategy."""
        return self.policy()

    def state_dict(self) -> dict[str, Any]:
        """Everything that training goes on from: nested dicts of tensors, numbers and strings."""
        raise NotImplementedError

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        raise NotImplementedError

    def export(self, folder: Path) -> None:
        """Writes ``adapter/`` (PEFT's layout) into the folder where the strategy has an adapter."""


class Format:
    """A dataset layout on disk."""

    id: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    def sniff(self, path: Path) -> bool:
        """Whether the file looks like this layout. Cheap; never raises."""
        raise NotImplementedError

    def read(self, path: Path, limit: int | None = None) -> Episodes:
        """Reads up to ``limit`` episodes. Raises DataError on anything broken."""
        raise NotImplementedError

    def write(self, episodes: Episodes, path: Path) -> None:
        """Writes to a temporary name, then renames."""
        raise NotImplementedError

    def describe(self, path: Path) -> dict[str, Any]:
        """What ``inspect`` shows: episodes, frames, keys with shapes, action range, task, embodiment.

        A check before a run reads ``episodes``, ``frames``, ``action_width``, ``episodes_with_nan`` (their names) and
        ``image_size`` (px, 0 where there are no images).
        """
        raise NotImplementedError


@dataclass(frozen=True)
class PanelInfo:
    """A dock of the window. ``factory`` is called on the UI thread with the studio's ``Bench`` (widgets.bench)."""

    id: str
    title: str
    summary: str
    area: Literal["left", "right", "bottom", "center"]
    order: int
    factory: Any
    reference: str = ""
    shortcuts: Mapping[str, str] = field(default_factory=dict)
