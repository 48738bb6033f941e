"""What a task is, and what it sees of the simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np

from studio.contracts.adaptation import ReferenceLine
from studio.contracts.arrays import Array, Ids, Observation
from studio.contracts.embodiment import Embodiment
from studio.contracts.problem import Problem
from studio.experiment import Domain

if TYPE_CHECKING:
    import mujoco

    from studio.rng import EpisodeRng


A = TypeVar("A")  # an array, or a tensor
NAMESPACE = "task/"  # what the names of a task's own bodies, joints, geoms and sites begin with


def task_name(name: str) -> str:
    """Return the name of a task's own part of the scene: a robot may have a body of the same plain name."""
    return NAMESPACE + name


class Simulation(Protocol):
    """What a task sees of the batched simulator. Rows are simulations; ``ids`` selects some: an array, or a slice."""

    domain: Domain
    embodiment: Embodiment
    num_envs: int
    model: mujoco.MjModel
    actions: Array  # (num_envs, width): the last action of each simulation, native
    contexts: Array  # (num_envs, components): of a family's task, which one each simulation's episode is

    def bind(self, name: str) -> Array:
        """Return live rows of an ``MjData`` field, (num_envs, …). Only state fields may be written."""

    def end_effectors(self, ids: Ids) -> Array:
        """Return the world positions of the limbs' sites, (n, limbs, 3), m."""

    def yaw(self, ids: Ids) -> Array:
        """Return the heading of a driving base, (n,), rad; 0 for an arm."""

    def contact_forces(self, ids: Ids) -> Array:
        """Return contact torque and force on each body, (n, bodies, 6); 0 before a first step."""

    def step_rng(self, ids: Ids) -> EpisodeRng:
        """Return random numbers for the present control step of each episode: the same whatever else runs."""

    def mocap(self) -> Array:
        """Return the live positions of the mocap bodies that the task added, (num_envs, bodies, 3), m.

        Write to move them; the robot's own are not among them.
        """


class Task:
    """What is to be done. Written once, over batch-first arrays, for every embodiment it makes sense for.

    Each world has a task of its own, so a task may keep arrays of its world's simulations. What the next steps depend
    on it names in ``state_arrays``: checkpoints and the viewer's history save these and nothing else of it.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    horizon: int  # control steps in an episode
    control_hz: float  # control steps a second
    step_size: ClassVar[float] = 0.0  # m an end effector moves in one step at action 1
    version: ClassVar[int] = 1  # raise it when the task changes, so that what was cached for it is not used any more
    gymnasium_id: ClassVar[str] = ""  # such as "Reach-{embodiment}-v0"
    controls: ClassVar[tuple[str, ...]] = ("end_effector", "joint")
    observations: ClassVar[tuple[str, ...]] = ("image", "goal")
    goal_width: int = 3
    goal_in_plane: ClassVar[bool] = False  # its mark lies on a table or floor: a hand that moves it keeps it there
    is_regression: ClassVar[bool] = False  # an episode is one step, a y for an x: the body ends there on a curve
    grips: ClassVar[bool] = False  # actions open and close the grippers too
    has_success: ClassVar[bool] = True  # False: an episode is judged by its return
    has_expert: ClassVar[bool] = True
    contact_forces: ClassVar[bool] = False  # it reads them
    actions: int = 0  # under control "discrete": how many there are to choose from; known once its world is made
    context: ClassVar[tuple[str, ...]] = ()  # of a family of tasks: the names of ω's components
    ranges: ClassVar[tuple[tuple[float, float], ...]] = ()  # of each component: training's lie in it
    reach: ClassVar[tuple[tuple[float, float], ...]] = ()  # how far a hand may move each; empty: as ``ranges``
    whole: ClassVar[tuple[str, ...]] = ()  # the names of those components that are whole numbers
    members: ClassVar[tuple[tuple[float, ...], ...]] = ()  # of a finite family: the contexts that training draws
    held_out: ClassVar[tuple[tuple[float, ...], ...]] = ()  # of a finite family: those kept for scores
    validation: ClassVar[tuple[tuple[float, ...], ...]] = ()  # and those kept to choose a policy by
    dynamics: ClassVar[tuple[str, ...]] = ()  # of a family of bodies: the randomization key that each component is for
    languages: ClassVar[tuple[str, ...]] = ()  # that it gives instructions in
    placements: ClassVar[tuple[str, ...]] = ("usual",)  # where its objects may lie; those after the first: as controls

    state_arrays: ClassVar[tuple[str, ...]] = ()  # attributes with a row for each simulation that later steps need

    @classmethod
    def usual_observation(cls) -> list[str]:
        """Return what a policy usually observes: the state where there is one, else the entry that is offered first;
        and the instruction where the task gives one."""
        first = "state" if "state" in cls.observations else cls.observations[0]
        return [first, "instruction"] if cls.languages and first != "instruction" else [first]

    def check(self, embodiment: Embodiment) -> list[Problem]:
        """Return why this embodiment cannot do this task; empty if it can."""
        return []

    def slots(self, embodiment: Embodiment, control: str) -> tuple[int, ...]:
        """Return the places of the native action's components, grippers included, in the unified action space."""
        return embodiment.slots(control, self.grips)

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        """Add the task's bodies to the embodiment's model, under names from :func:`task_name`."""

    def prepare(self, world: Simulation) -> None:
        """Bind fields and make arrays; called once, when the task's world has been made."""

    def family(self, rng: EpisodeRng) -> Array:
        """Return a context for each episode, (n, components), drawn from the whole family: one of its members, or
        uniform in ``ranges``."""
        if self.members:
            return np.asarray(self.members, float)[(rng.uniform() * len(self.members)).astype(int)]
        low, high = np.array(self.ranges, float).T
        return rng.uniform(low, high, (len(low),))

    def outside(self, rng: EpisodeRng) -> Array | None:
        """Return a context outside of the family for each episode, (n, components); None: those beyond ``ranges``, or
        of a family of finitely many tasks, or whose ranges are no box, none."""
        return None

    def is_inside(self, context: Sequence[float]) -> bool:
        """Return whether a context is within the range of training: of a finite family, one of its tasks."""
        if self.members:
            known = (*self.members, *self.held_out, *self.validation)
            return any(np.allclose(context, one) for one in known)
        return all(low <= value <= high for value, (low, high) in zip(context, self.ranges, strict=False))

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        """Return why a context is impossible; empty if it is possible. It need not be one that the family draws."""
        return []

    def reference_lines(self, context: Sequence[float]) -> Sequence[ReferenceLine]:
        """Return exact and published scores to compare an adaptation to a context with: shares of successes, or returns
        where the task has no success. Where none is named EXPERT and there is an expert, its own score is found by
        playing it. A subclass with another reward must override this.
        """
        return ()

    def exact_posterior(self, places: Array, rewards: Array) -> tuple[Array, Array] | None:
        """Return contexts (n, components) and their exact posterior probabilities (n,), all alike at first, given where
        the robot came (steps, 3), m, and the rewards there (steps,); None: it is not known. Only the contexts of
        training are possible. A subclass with another reward must override this.
        """
        return None

    def sentences(self, context: Sequence[float], language: str, wording: str) -> Sequence[str]:
        """Return all instructions for a context in one of ``languages``, of at most 96 bytes each.

        Args:
            wording: ``"training"``, or ``"held_out"``: other sentences of the same meaning.
        """
        raise NotImplementedError

    def reset(self, world: Simulation, ids: Array, rng: EpisodeRng) -> None:
        """Draw a new episode for each simulation in ``ids``."""
        raise NotImplementedError

    def before(self, world: Simulation, ids: Ids) -> None:
        """Keep what the reward compares with; called before each control step."""

    def observe(self, world: Simulation, ids: Ids) -> Observation:
        """Return what the task adds to an observation; ``state`` (n, width) where the domain observes the state."""
        return {}

    def goal(self, world: Simulation, ids: Ids) -> Array:
        """Return the goal's coordinates, (n, goal_width), m; of a family of tasks the context.

        Policies see it only where the domain observes the goal.
        """
        if self.context:
            return world.contexts[ids].copy()
        raise NotImplementedError

    def achieved(self, observation: Mapping[str, Any]) -> Any:
        """Return the goal that each observed state reaches, (n, g), in the form of the last g components of ``goal``.

        The observation's entries are (n, width) arrays, or tensors: use operators and methods that both have. A task
        without it has no goals for hindsight.
        """
        raise NotImplementedError

    def goal_reached(self, achieved: A, goal: A) -> A:
        """Return whether what is achieved reaches the goal, (n,) bool, both (n, g) as :meth:`achieved` returns it.

        A function of these alone: learners call it with goals that the task never set.
        """
        raise NotImplementedError

    def mark(self, places: Array, goal: Array) -> None:
        """Write a goal, (g,) as :meth:`achieved` returns it, into an episode's mocap positions, (bodies, 3).

        It draws a goal that a learner set itself. By default the first body is moved there, if the goal is a position.
        """
        if len(goal) <= 3:
            places[0, : len(goal)] = goal

    def act(self, world: Simulation, choices: Array, ids: Ids) -> None:
        """Advance the state by one control step, under control "discrete": ``choices`` (n,) integers below ``actions``.

        Nothing is integrated.
        """
        raise NotImplementedError

    def reward(self, world: Simulation, ids: Ids) -> Array:
        """Return the reward of the present state, (n,)."""
        raise NotImplementedError

    def observed_reward(self, world: Simulation, ids: Ids, rewards: Array) -> Array:
        """Return the present state's reward as a policy observes it in a trial, (n,): by default ``rewards``, (n,).

        A family whose reward is made denser for training shows the one that its targets have.
        """
        return rewards

    def success(self, world: Simulation, ids: Ids) -> Array:
        """Return whether the present state is a success, (n,) bool."""
        raise NotImplementedError

    def terminated(self, world: Simulation, ids: Ids) -> Array:
        """Return whether the present state ends the episode, (n,) bool: by default a success does."""
        return self.success(world, ids)

    def expert(self, world: Simulation, ids: Ids) -> Array:
        """Return the scripted expert's end-effector action, (n, limbs, 3) in [−1, 1].

        Where the task grips it is (n, limbs, 4), with the gripper's opening last.
        """
        raise NotImplementedError
