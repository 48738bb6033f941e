"""Simple shapes drawn over a scene, in world coordinates: goals, paths, marks."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float, float]
Color = tuple[float, float, float, float]  # red, green, blue, opacity in [0, 1]

# Okabe and Ito's vermilion and bluish green, told apart by every kind of color vision; pale between them
BELOW, MIDDLE, ABOVE = (0.84, 0.37, 0.0), (0.94, 0.94, 0.92), (0.0, 0.62, 0.45)


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


def path(points: list[Point], width: float = 0.004, color: Color = (0.3, 0.7, 1.0, 1.0)) -> list[Decoration]:
    """Lines from each point to the next."""
    return [Line(a, b, width, color) for a, b in zip(points, points[1:])]  # noqa: RUF007


def diverging(share: float) -> Color:
    """Of a number in [−1, 1], cut off beyond: vermilion below 0, pale at 0, green above."""
    share = min(1.0, max(-1.0, share))
    end = ABOVE if share > 0 else BELOW
    red, green, blue = (m + abs(share) * (e - m) for m, e in zip(MIDDLE, end, strict=True))
    return red, green, blue, 1.0
