"""What the Features panel asks of the engine. All of it is slow, so none belongs on the UI thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from studio.errors import Stopped
from studio.registry import Registry

if TYPE_CHECKING:
    from studio.analysis.feature_projection import FeatureProjection, FeatureReader

Signature = tuple[str, ...]  # names of a run's checkpoints


class FeatureJob:
    """Reads one run's features again and again; one thread at a time.

    Args:
        keep_on: asked while the expert plays what is not recorded; where it is False the reading ends.
    """

    def __init__(self, run: Path, registry: Registry, keep_on: Callable[[], bool]) -> None:
        self.run, self._registry, self._keep_on = run, registry, keep_on
        self._reader: FeatureReader | None = None

    def read(self) -> tuple[Signature, FeatureProjection]:
        """Return the names of the checkpoints, and their features; what was read before is not read again.

        Raises:
            StudioError: see :class:`studio.analysis.feature_projection.FeatureReader`.
            Stopped: the reading was ended.
        """
        from studio.analysis.feature_projection import FeatureReader

        seen = checkpoints_of(self.run)
        if self._reader is None:
            self._reader = FeatureReader(self.run, self._registry, tick=self._tick)
        return seen, self._reader.read()

    def _tick(self, _done: int, _total: int) -> None:
        if not self._keep_on():
            raise Stopped


def checkpoints_of(run: Path) -> Signature:
    """Return the names of a run's checkpoints; cheap beside reading them."""
    try:
        return tuple(sorted(path.name for path in (run / "checkpoints").iterdir() if not path.name.startswith(".")))
    except OSError:  # there is none yet, or the run went away this very moment
        return ()
