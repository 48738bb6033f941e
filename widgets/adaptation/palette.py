"""One color for each number of shots, the same in every plot and in the scene."""

from __future__ import annotations

from PySide6.QtGui import QColor

from widgets.style import theme


def shot_color(place: int, count: int) -> QColor:
    """Return the color of the ``place``-th of ``count`` numbers of shots."""
    return theme.sequential(0.0 if count < 2 else place / (count - 1))


def span(color: QColor, mark: str, words: str) -> str:
    """Return a legend's entry: a colored mark and words, as rich text."""
    return f"<span style='color:{color.name()}'>{mark}</span>&nbsp;{words}"
