"""Reading the fields that a person watches from the player's data. Render thread only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.contracts import PlayerProtocol
from studio.errors import StudioError


@dataclass(frozen=True)
class Reading:
    """The present numbers of one field, or why there are none."""

    text: str
    values: np.ndarray | None = None  # (count,)
    problem: str = ""


class FieldWatcher:
    """Parses the fields' names for each model, and reads their numbers."""

    def __init__(self) -> None:
        self._texts: tuple[str, ...] = ()
        self._watches: list[Any] = []  # studio.viewer.watched_fields.Watch, or the sentence why not
        self._player: PlayerProtocol | None = None

    def __bool__(self) -> bool:
        return bool(self._texts)

    def watch(self, texts: tuple[str, ...]) -> None:
        """Watch these from now on."""
        self._texts = texts
        self.use(self._player)

    def use(self, player: PlayerProtocol | None) -> None:
        """Read from this player from now on."""
        self._player = player
        self._watches = []
        if player is None or not self._texts:
            return
        from studio.viewer.watched_fields import parse

        for text in self._texts:
            try:
                self._watches.append(parse(text, player.model, player.data))
            except StudioError as error:
                self._watches.append(f"{error.message} {error.remedy}".strip())

    def read(self, player: PlayerProtocol) -> tuple[Reading, ...]:
        """Return the present numbers of each field."""
        return tuple(
            Reading(text, problem=watch) if isinstance(watch, str) else Reading(text, watch.read(player.data))
            for text, watch in zip(self._texts, self._watches)
        )
