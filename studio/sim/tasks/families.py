"""Families of tasks for one body: run in a direction, or at a velocity, that the context ω gives; or run forward with a
body whose masses, friction and damping it gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from studio.contracts import Ids, Problem, Simulation
from studio.sim.tasks.motor_task import ForwardTask

if TYPE_CHECKING:
    from studio.rng import EpisodeRng

Array = np.ndarray
HORIZON = 200  # control steps, as in the papers on these families


class FamilyTask(ForwardTask):
    """A body's task of a family; the context is the goal that a domain may let the policy observe."""

    horizon = HORIZON
    observations = ("state", "goal", "image")


class Direction(FamilyTask):
    """To a body's forward task, as its first base: what counts is the speed along ω, ±1, instead of along x."""

    context: ClassVar[tuple[str, ...]] = ("direction",)
    members: ClassVar[tuple[tuple[float, ...], ...]] = ((1.0,), (-1.0,))
    goal_width = 1

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        if abs(math.hypot(*context) - 1) < 1e-3:
            return []
        words = f"The direction {', '.join(f'{value:g}' for value in context)} is not of length 1."
        return [Problem("", words, "Give 1 or −1." if len(context) == 1 else "Give its cosine and its sine.")]

    def place(self, ids: Ids) -> Array:
        return super().place(ids) * self.world.contexts[ids][:, 0]


class PlaneDirection(Direction):
    """The same for a body that moves in the plane: ω is the cosine and sine of an angle drawn uniformly."""

    context = ("cosine", "sine")
    ranges = ((-1.0, 1.0), (-1.0, 1.0))
    members = ()
    goal_width = 2

    def family(self, rng: EpisodeRng) -> Array:
        angle = rng.uniform(-np.pi, np.pi)
        return np.stack([np.cos(angle), np.sin(angle)], 1)

    def place(self, ids: Ids) -> Array:
        return np.asarray((self.planar(ids) * self.world.contexts[ids]).sum(1))

    def planar(self, ids: Ids) -> Array:
        """Where in the plane the body is, (n, 2), m."""
        raise NotImplementedError


class Velocity(FamilyTask):
    """To a body's forward task, as its first base: reward −|v − ω| less the effort, and for staying healthy."""

    context = ("velocity",)
    ranges: ClassVar[tuple[tuple[float, float], ...]] = ((0.0, 2.0),)
    goal_width = 1

    def reward(self, world: Simulation, ids: Ids) -> Array:
        missed = np.abs(self.speed(ids) - world.contexts[ids][:, 0])
        reward = -missed - self.effort_cost * self.effort(world, ids)
        return reward + self.healthy_reward * self.healthy(ids) if self.healthy_reward else reward


class BodyVariants(FamilyTask):
    """To a body's forward task, as its first base: ω scales the masses of its limbs, the friction of all its contacts
    and the damping of its joints, each uniform in [0.6, 1.4]."""

    limbs: ClassVar[Mapping[str, str]]  # the bodies, separated by commas, whose mass a component scales together

    def __init_subclass__(cls) -> None:
        cls.context = (*(f"{limb}_mass" for limb in cls.limbs), "friction", "damping")
        cls.dynamics = (*(f"mass:{bodies}" for bodies in cls.limbs.values()), "friction", "damping")
        cls.ranges = ((0.6, 1.4),) * len(cls.context)
        cls.goal_width = len(cls.context)

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        if all(factor > 0 for factor in context):
            return []
        return [Problem("", f"{min(context):g} is no factor on a mass or a friction.", "Give numbers above 0.")]
