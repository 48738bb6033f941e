"""Decorations of data: paths, and the colors of signed numbers."""

from __future__ import annotations

from studio.contracts.decorations import Color, Decoration, Line, Point

# Okabe and Ito's vermilion and bluish green, distinct to every kind of color vision; pale between them
BELOW, MIDDLE, ABOVE = (0.84, 0.37, 0.0), (0.94, 0.94, 0.92), (0.0, 0.62, 0.45)


def path(points: list[Point], width: float = 0.004, color: Color = (0.3, 0.7, 1.0, 1.0)) -> list[Decoration]:
    """Return lines from each point to the next."""
    return [Line(a, b, width, color) for a, b in zip(points, points[1:])]  # noqa: RUF007


def diverging(share: float) -> Color:
    """Return the color of a number in [−1, 1], cut off beyond: vermilion below 0, pale at 0, green above."""
    share = min(1.0, max(-1.0, share))
    end = ABOVE if share > 0 else BELOW
    red, green, blue = (m + abs(share) * (e - m) for m, e in zip(MIDDLE, end, strict=True))
    return red, green, blue, 1.0
