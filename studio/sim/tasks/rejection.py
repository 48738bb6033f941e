"""Draws that are repeated until they fit: each loop of them has an end."""

from __future__ import annotations

from collections.abc import Iterator

from studio.errors import StudioError

MOST = 1000  # a few draws are enough wherever there is room


def draws(what: str, most: int = MOST) -> Iterator[int]:
    """Count the draws of something until it fits: ``next`` before each one.

    Raises:
        StudioError: there were ``most`` of them.
    """
    yield from range(most)
    raise StudioError(f"No room was found for {what} in {most} draws.", "task", "Make room in the task's ranges.")
