"""A person's hand on the context of an episode that plays: what may be turned, and what of it the goal's mark shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.contracts import Line, Task

Array = np.ndarray
PLACE = ("goal_x", "goal_y", "goal_z")  # components that say where the goal's mark is, m
TURN = ("cosine", "sine")  # of an angle in the plane, together of length 1
ARROW, ARROW_COLOR = 0.08, (0.93, 0.70, 0.13, 1.0)  # its length, in extents of the model
BEYOND = 0.5  # of a family's range, that a hand may go beyond it at either end: to see what happens outside


@dataclass(frozen=True)
class Component:
    """One component of ω: its name, how far a hand may turn it, and the values it takes where those are few."""

    name: str
    low: float
    high: float
    choices: tuple[float, ...] = ()

    def nearest(self, value: float) -> float:
        """What a hand's value becomes."""
        if self.choices:
            return min(self.choices, key=lambda choice: abs(choice - value))
        return min(max(value, self.low), self.high)


def components(task: Task, given: Sequence[Sequence[float]] = ()) -> tuple[Component, ...]:
    """Of a family's task.

    Args:
        given: the domain's own contexts; they are within reach too.
    """
    found = []
    for place, name in enumerate(task.context):
        choices = tuple(sorted({float(member[place]) for member in task.members}))
        own = [float(context[place]) for context in given]
        low, high = task.ranges[place] if task.ranges else (min(choices), max(choices))
        margin = 0.0 if choices or name in PLACE else BEYOND * (high - low)
        found.append(Component(name, min(low - margin, *own, low), max(high + margin, *own, high), choices))
    return tuple(found)


def placed(task: Task) -> int:
    """How many components, from the first on, are the place of the goal's mark; 0: it has none, or they are others."""
    count = 0
    while count < min(len(task.context), len(PLACE)) and task.context[count] == PLACE[count]:
        count += 1
    return count if count > 1 else 0


def turned(parts: tuple[Component, ...], context: Array, component: int, value: float) -> Array:
    """A context (components,) after a hand has turned one component to ``value``: within its reach, and where it is an
    angle's cosine or sine with the other one fitting to it."""
    made = np.array(context, float)
    made[component] = parts[component].nearest(value)
    if tuple(part.name for part in parts) == TURN:
        made[component] = min(1.0, max(-1.0, made[component]))
        other = 1 - component
        made[other] = math.copysign(math.sqrt(1 - made[component] ** 2), context[other])
    return made


def arrow(parts: tuple[Component, ...], context: Array, place: tuple[float, float, float], extent: float) -> list[Line]:
    """Return the arrow above a body that shows where to go. The context is a direction: ±1 along x, or an angle's."""
    names = tuple(part.name for part in parts)
    if names == TURN:
        ahead = np.array([context[0], context[1], 0.0])
    elif names == ("direction",):
        ahead = np.array([float(np.sign(context[0])), 0.0, 0.0])
    else:
        return []
    length = ARROW * extent
    start = np.array(place) + np.array([0.0, 0.0, 0.5 * length])
    tip, aside = start + length * ahead, np.array([-ahead[1], ahead[0], 0.0])
    barbs = [tip - 0.3 * length * ahead + side * 0.2 * length * aside for side in (1, -1)]
    ends = [(start, tip), (tip, barbs[0]), (tip, barbs[1])]
    return [Line(_point(a), _point(b), 0.1 * length, ARROW_COLOR) for a, b in ends]


def aimed(parts: tuple[Component, ...], context: Array, ahead: Array) -> Array:
    """A direction's context (components,) that leads along ``ahead`` (2,), as near as the family has one."""
    if tuple(part.name for part in parts) != TURN:
        return np.array([parts[0].nearest(float(np.sign(ahead[0])))])
    length = float(np.hypot(*ahead))
    return ahead / length if length > 0 else context


def _point(at: Array) -> tuple[float, float, float]:
    return float(at[0]), float(at[1]), float(at[2])
