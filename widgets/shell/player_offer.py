"""Something that one panel offers to be shown in the viewport, in place of the experiment's domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.contracts import PlayerProtocol


@dataclass(frozen=True)
class PlayerOffer:
    """What to show.

    Args:
        name: what it is called in the viewport.
        make: makes its player, on the render thread.
    """

    name: str
    make: Callable[[], PlayerProtocol]
