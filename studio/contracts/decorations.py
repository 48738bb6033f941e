"""Simple shapes drawn over a scene, in world coordinates: goals, paths, marks."""

from __future__ import annotations

from dataclasses import dataclass

from studio.contracts.arrays import Array

Point = tuple[float, float, float]
Color = tuple[float, float, float, float]  # red, green, blue, opacity in [0, 1]


@dataclass(frozen=True)
class Ball:
    """A sphere of ``radius`` m."""

    center: Point
    radius: float
    color: Color = (1.0, 0.8, 0.2, 1.0)


@dataclass(frozen=True)
class Line:
    """A straight rod of ``width`` m between two points."""

    start: Point
    end: Point
    width: float = 0.004
    color: Color = (0.3, 0.7, 1.0, 1.0)


Decoration = Ball | Line


@dataclass(frozen=True, eq=False)
class Ghost:
    """A translucent copy of the robot in another pose. A legend shows its label, if it has one."""

    pose: Array  # (nq,)
    color: Color
    label: str = ""
