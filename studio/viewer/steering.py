"""Changing the context of an episode that plays: which components, how far, and how a mark or an arrow shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.contracts import Line, Task

Array = np.ndarray
PLACE = ("goal_x", "goal_y", "goal_z")  # components that place the goal's mark, m
ANGLE = ("cosine", "sine")  # components of an angle in the plane, together of length 1
ARROW, ARROW_COLOR = 0.08, (0.93, 0.70, 0.13, 1.0)  # its length, in extents of the model
BEYOND = 0.5  # of a family's range: how far a person may go beyond either end, to see what happens outside


@dataclass(frozen=True)
class Component:
    """One component of ω: its name, how far a person may change it, and the values it takes: few ones, or whole
    numbers alone, or any."""

    name: str
    low: float
    high: float
    choices: tuple[float, ...] = ()
    is_whole: bool = False

    def nearest(self, value: float) -> float:
        """Return the value within reach that is nearest to a person's."""
        if self.choices:
            return min(self.choices, key=lambda choice: abs(choice - value))
        near = min(max(value, self.low), self.high)
        return float(round(near)) if self.is_whole else near


def components(
    task: Task, given: Sequence[Sequence[float]] = (), margin_of_places: float = 0.0
) -> tuple[Component, ...]:
    """Return the components of a task's context; none of no family, or of one that says neither range nor members.

    Args:
        given: the domain's own contexts, which are within reach too.
        margin_of_places: how far beyond its range a component that places the goal's mark may go, as ``BEYOND``.
    """
    found: list[Component] = []
    for place, name in enumerate(task.context if task.ranges or task.members else ()):
        few = task.members if name not in PLACE else ()  # a goal may be moved to anywhere
        choices = tuple(sorted({float(member[place]) for member in few}))
        own = [float(context[place]) for context in given]
        low, high = _reach(task)[place] if task.ranges else (min(choices), max(choices))
        beyond = margin_of_places if name in PLACE else BEYOND
        margin = 0.0 if choices or not _may_leave(task) else beyond * (high - low)
        low, high = min(low - margin, *own, low), max(high + margin, *own, high)
        found.append(Component(name, low, high, choices, name in task.whole))
    return tuple(found)


def _reach(task: Task) -> tuple[tuple[float, float], ...]:
    return task.reach or task.ranges


def _may_leave(task: Task) -> bool:
    """Return whether contexts beyond a hand's reach are possible: no probability is above 1."""
    low, high = np.array(_reach(task), float).T
    return not any(task.check_context(end) for end in (low - BEYOND * (high - low), high + BEYOND * (high - low)))


def goal_components(task: Task) -> int:
    """Return how many components, from the first on, place the goal's mark; 0: they do not."""
    count = 0
    while count < min(len(task.context), len(PLACE)) and task.context[count] == PLACE[count]:
        count += 1
    return count if count > 1 else 0


def with_component(parts: tuple[Component, ...], context: Array, component: int, value: float) -> Array:
    """Return a context (components,) with one component changed to ``value``, as far as that is within reach.

    Of an angle's cosine and sine, the other one changes with it.
    """
    made = np.array(context, float)
    made[component] = parts[component].nearest(value)
    if tuple(part.name for part in parts) == ANGLE:
        made[component] = min(1.0, max(-1.0, made[component]))
        other = 1 - component
        made[other] = math.copysign(math.sqrt(1 - made[component] ** 2), context[other])
    return made


def arrow(parts: tuple[Component, ...], context: Array, place: tuple[float, float, float], extent: float) -> list[Line]:
    """Return the arrow above a robot that shows where to go; empty: the context is no direction, sign or angle."""
    names = tuple(part.name for part in parts)
    if names == ANGLE:
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


def toward(parts: tuple[Component, ...], context: Array, ahead: Array) -> Array:
    """Return a direction's context (components,) that leads along ``ahead`` (2,), as near as the family has one."""
    if tuple(part.name for part in parts) != ANGLE:
        return np.array([parts[0].nearest(float(np.sign(ahead[0])))])
    length = float(np.hypot(*ahead))
    return ahead / length if length > 0 else context


def _point(at: Array) -> tuple[float, float, float]:
    return float(at[0]), float(at[1]), float(at[2])
