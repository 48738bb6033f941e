"""What is shown side by side: recorded episodes of one task, handed from one thread to a player on another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.contracts import Array
from studio.contracts.decorations import Color

if TYPE_CHECKING:
    from studio.sim.trajectory import Trajectory  # it loads MuJoCo


@dataclass(frozen=True, eq=False)
class ShownEpisode:
    """One of the episodes; ``label`` names it in the legend."""

    trajectory: Trajectory
    label: str
    color: Color


@dataclass(frozen=True, eq=False)
class Showing:
    """What is shown at a time.

    Args:
        context: of the task; empty: of no family.
        title: what the robot's own episode is called.
        points: places to mark, (n, 3), m, and their color.
        goal: name of the goal in the legend; empty: it is not named.
    """

    episodes: Sequence[ShownEpisode]
    context: Array
    title: str
    points: Sequence[tuple[Array, Color]] = ()
    goal: str = ""


class SideBySide:
    """Hands episodes to a player on another thread, and takes back which context a person asks for there."""

    def __init__(self) -> None:
        self._showing: Showing | None = None
        self._asked: Array | None = None

    def show(self, showing: Showing) -> None:
        """Show these episodes from now on."""
        self._showing = showing

    def showing(self) -> Showing | None:
        """Return what is to be shown; None: nothing yet."""
        return self._showing

    def ask(self, context: Array) -> None:
        """Ask for episodes of another context."""
        self._asked = context

    def take_asked(self) -> Array | None:
        """Return the context that was asked for since the last call; None: none was."""
        asked, self._asked = self._asked, None
        return asked
