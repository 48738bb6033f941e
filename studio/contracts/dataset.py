"""A dataset layout on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from studio.contracts.episodes import Episodes


class Format:
    """A dataset layout on disk."""

    id: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    def sniff(self, path: Path) -> bool:
        """Whether the file looks like this layout. Cheap; never raises."""
        raise NotImplementedError

    def read(self, path: Path, limit: int | None = None) -> Episodes:
        """Reads up to ``limit`` episodes. Raises DataError on anything broken."""
        raise NotImplementedError

    def write(self, episodes: Episodes, path: Path) -> None:
        """Writes to a temporary name, then renames."""
        raise NotImplementedError

    def describe(self, path: Path) -> dict[str, Any]:
        """What ``inspect`` shows: episodes, frames, keys with shapes, action range, task, embodiment.

        A check before a run reads ``episodes``, ``frames``, ``action_width``, ``episodes_with_nan`` (their names) and
        ``image_size`` (px, 0 where there are no images).
        """
        raise NotImplementedError
