"""What a plugin may contribute, and the words the rooms speak with each other.

Arrays are batch first. Nothing here imports torch, MuJoCo or Qt.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
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
    from studio.sim.draws import Draws

Array = np.ndarray
Ids = Array | slice  # which simulations: sorted indices, or all
# "image" (n, h, w, 3) uint8, "joint_pos", "eef_pos", "goal", "state": see studio.sim.world; of tasks that grip also
# "gripper_pos" (n, grippers) m: how far each hand is open
# "body" (n, width): values of the randomization terms that are observed
Observation = dict[str, Any]
SLOTS = 32  # width of the unified action space


@dataclass(frozen=True)
class Problem:
    """Why an experiment cannot start: plain words, the dotted field it belongs to, and what mends it."""

    field: str
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Metrics:
    """What one iteration found. ``values`` maps a name to a number; names in ``Strategy.units`` carry units.

    ``step`` only grows, over all of a strategy's own stages; ``share`` is how much of the present one is done, and
    NaN stands for step / total.
    """

    step: int
    total: int
    values: Mapping[str, float]
    stage: str = ""  # one of Strategy.stages; empty: "adapt"
    share: float = math.nan


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
    gripper: str = ""  # actuator that opens and closes the hand; empty: it has none
    gripper_slot: int = -1  # after the limb's other slots


@dataclass(frozen=True)
class Embodiment:
    """A robot: its MJCF or URDF model, its limbs, its cameras, its slots in the unified action space."""

    id: str
    title: str
    summary: str
    reference: str
    model: Path
    kind: Literal["arm", "base", "body"]
    limbs: tuple[Limb, ...]
    cameras: tuple[str, ...]
    home: str = "home"  # the keyframe of the resting pose; empty: the model's defaults
    motors: int = 0  # of a body whose actuators are commanded directly

    @property
    def dof(self) -> int:
        """Controlled degrees of freedom."""
        return self.motors or sum(len(limb.joints) for limb in self.limbs)

    def slots(self, control: str, gripper: bool = False) -> tuple[int, ...]:
        """Places of the native action's components in the unified action space, in native order: ascending."""
        if control == "motor":
            return tuple(range(self.motors))
        if control == "discrete":
            return (0,)
        slots: list[int] = []
        for limb in self.limbs:
            slots += limb.joint_slots if control == "joint" else limb.end_effector_slots
            if gripper and limb.gripper:
                slots.append(limb.gripper_slot)
        return tuple(sorted(slots))


class Simulation(Protocol):
    """What a task sees of the batched simulator. Rows are simulations; ``ids`` selects some: an array, or a slice."""

    embodiment: Embodiment
    num_envs: int
    model: mujoco.MjModel
    actions: Array  # (num_envs, width): what each simulation was last told, in native units
    contexts: Array  # (num_envs, components): of a family's task, which one each simulation's episode is

    def bind(self, name: str) -> Array:
        """Live rows of an ``MjData`` field, (num_envs, …). Only state fields may be written."""

    def end_effectors(self, ids: Ids) -> Array:
        """World positions of the limbs' sites, (n, limbs, 3), m."""

    def yaw(self, ids: Ids) -> Array:
        """Heading of a driving base, (n,), rad; 0 for an arm."""

    def contact_forces(self, ids: Ids) -> Array:
        """Contact torque and force on each body, (n, bodies, 6), of tasks that ask for them; 0 before a first step."""

    def step_draws(self, ids: Ids) -> Draws:
        """Random numbers for the present control step of each episode: the same whatever else runs."""

    def mocap(self) -> Array:
        """Live positions of the task's mocap bodies, (num_envs, bodies, 3), m. Write to move them."""


class Task:
    """What is to be done. Written once, over batch-first arrays, for every embodiment it makes sense for.

    A world makes a task of its own, so a task may keep arrays of its world's simulations.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    horizon: int  # control steps in an episode
    control_hz: ClassVar[float]  # control steps a second
    step_size: ClassVar[float] = 0.0  # m an end effector moves in one step at action 1
    version: ClassVar[int] = 1  # raise it when the task changes: what was cached for it is made anew
    gymnasium_id: ClassVar[str] = ""  # such as "Reach-{embodiment}-v0"
    controls: ClassVar[tuple[str, ...]] = ("end_effector", "joint")
    observations: ClassVar[tuple[str, ...]] = ("image", "goal")
    goal_width: int = 3
    goal_in_plane: ClassVar[bool] = False  # its mark lies on a table or floor: a hand that moves it keeps it there
    grips: ClassVar[bool] = False  # actions open and close the grippers too
    has_success: ClassVar[bool] = True  # False: an episode is judged by its return
    has_expert: ClassVar[bool] = True
    contact_forces: ClassVar[bool] = False  # it reads them
    actions: int = 0  # under control "discrete": how many there are to choose from; known once its world is made
    context: ClassVar[tuple[str, ...]] = ()  # of a family of tasks: the names of ω's components
    ranges: ClassVar[tuple[tuple[float, float], ...]] = ()  # of each component, where the family draws it uniformly
    members: ClassVar[tuple[tuple[float, ...], ...]] = ()  # of a family of a few tasks: all its contexts

    def check(self, embodiment: Embodiment) -> list[Problem]:
        """Why this embodiment cannot do this task; empty if it can."""
        return []

    def slots(self, embodiment: Embodiment, control: str) -> tuple[int, ...]:
        """Places of the native action's components in the unified action space, the grippers' where the task grips."""
        return embodiment.slots(control, self.grips)

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        """Adds the task's bodies to the embodiment's model."""

    def prepare(self, world: Simulation) -> None:
        """Called once, when the task's world has been made: the place to bind fields and make arrays."""

    def family(self, draws: Draws) -> Array:
        """A context for each episode, (n, components), drawn from the whole family."""
        if self.members:
            return np.asarray(self.members, float)[(draws.uniform() * len(self.members)).astype(int)]
        low, high = np.array(self.ranges, float).T
        return draws.uniform(low, high, (len(low),))

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        """Why a context of the right width cannot be; empty if it can. It need not be one that the family draws."""
        return []

    def reset(self, world: Simulation, ids: Array, draws: Draws) -> None:
        """Draws a new episode for each simulation in ``ids``."""
        raise NotImplementedError

    def before(self, world: Simulation, ids: Ids) -> None:
        """Called before each control step: the place to keep what the reward compares with."""

    def observe(self, world: Simulation, ids: Ids) -> Observation:
        """What the task adds to an observation; ``state`` (n, width) where the domain observes the state."""
        return {}

    def goal(self, world: Simulation, ids: Ids) -> Array:
        """The goal's coordinates, (n, goal_width), m; of a family of tasks the context. Policies see it only where the
        domain observes the goal."""
        if self.context:
            return world.contexts[ids].copy()
        raise NotImplementedError

    def achieved(self, observation: Mapping[str, Any]) -> Any:
        """The goal that each observed state reaches, (n, g): what would have to stand in the last g components of
        ``goal``. The observation's entries are (n, width) arrays, or tensors: use operators and methods that both have.
        A task that gives no such goal has none that its states reach."""
        raise NotImplementedError

    def goal_reached(self, achieved: Any, goal: Any) -> Any:
        """Whether what is achieved reaches the goal, (n,) bool, both (n, g) as :meth:`achieved` gives it. A function of
        these alone: learners ask it about goals that were never set."""
        raise NotImplementedError

    def mark(self, places: Array, goal: Array) -> None:
        """Writes a goal, (g,) as :meth:`achieved` gives it, into the places of an episode's mocap bodies, (bodies, 3):
        how a goal is drawn that a learner set itself. By default the first body goes there, if the goal is a place."""
        if len(goal) <= 3:
            places[0, : len(goal)] = goal

    def act(self, world: Simulation, choices: Array, ids: Ids) -> None:
        """Moves the state by one control step, under control "discrete": ``choices`` (n,) integers below ``actions``.
        Nothing is integrated."""
        raise NotImplementedError

    def reward(self, world: Simulation, ids: Ids) -> Array:
        """Reward of the present state, (n,)."""
        raise NotImplementedError

    def success(self, world: Simulation, ids: Ids) -> Array:
        """Whether the present state is a success, (n,) bool."""
        raise NotImplementedError

    def terminated(self, world: Simulation, ids: Ids) -> Array:
        """Whether the present state ends the episode, (n,) bool: by default a success does."""
        return self.success(world, ids)

    def expert(self, world: Simulation, ids: Ids) -> Array:
        """The scripted expert's end-effector action, (n, limbs, 3) in [−1, 1], or (n, limbs, 4) with the gripper's
        opening last where the task grips."""
        raise NotImplementedError


class TransitionScore(Protocol):
    """A number for each transition, to color a policy's path by: DARC's Δr, for one. Green above 0 and red below."""

    @property
    def title(self) -> str:
        """Short, with its unit: the legend."""

    def transition_score(self, observation: Observation, action: Array, next_observation: Observation) -> Array:
        """(n,), 0: nothing to say. Native actions (n, dof), observations before and after, as ``act`` sees them. Near a
        millisecond for a few rows; may be called from any thread, on a copy of its own."""


class Policy(Protocol):
    """Anything that acts, batch first.

    A policy may carry a ``gap``, a :class:`TransitionScore`, as a plain attribute: look for it by
    ``getattr(policy, "gap", None)``. ``copy.deepcopy`` copies it along; it is none of the policy's parameters and not
    among the tensors of its ``state_dict``. DARC's is saved beside the policy and comes back with it.

    It may have two methods more, which are drawn under its picture while it plays. They are asked once a control step,
    with what ``act`` is given, batch first:

    - ``value(observation) -> (n,)``: what it expects to gain from here on, V(s) or min Q(s, a) at its own action, in
      the scale of the rewards it was trained with.
    - ``entropy(observation) -> (n,)``: of what it would explore with, nats.

    One whose ``remembers`` is true is asked with its memory too, as ``act`` left it: ``value(observation, memory)``.
    """

    def act(self, observation: Observation, memory: Any = None) -> tuple[Any, Any]:
        """Native actions (n, dof of the domain's control), ready for ``World.step``, and the new memory.

        Memory is None at an episode's beginning, and then what the last call returned: None, or arrays or tensors
        (n, …), of which only the rows of the episodes that go on are given. It is never changed in place.
        """

    def parameters(self) -> Iterator[Any]:
        """Trainable and frozen parameters."""


class Strategy:
    """A way to carry knowledge from a source domain to a target domain. One file in ``plugins/strategies``."""

    id: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]  # the paper or document
    needs_source: ClassVar[bool] = True  # False: no source policy is trained for it
    needs_demonstrations: ClassVar[bool] = True  # False: it makes its own experience
    same_widths: ClassVar[bool] = False  # True: one network sees and moves in both, so their widths have to agree
    needs_family: ClassVar[bool] = (
        False  # True: the source is a family of tasks, or of bodies whose values are observed
    )
    acts_at_once: ClassVar[bool] = False  # True: its policy acts before the first iteration, and is scored there too
    unused_budget: ClassVar[tuple[str, ...]] = ()  # fields of the budget that say nothing to it
    stages: ClassVar[tuple[str, ...]] = ()  # of its own, in order, shown on the way; empty: "adapt" alone
    units: ClassVar[Mapping[str, str]] = {}
    tags: ClassVar[tuple[str, ...]] = ()

    class Params(Settings):
        """No parameters."""

    def __init__(self, params: BaseModel | None = None) -> None:
        self.params: Any = params if params is not None else self.Params()

    @property
    def settings_field(self) -> str:
        """Where in an experiment the settings of its learner stand, its learning rate among them."""
        return "strategy.params"

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
