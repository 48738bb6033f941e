"""Faults and notes about a file that is read: each kind once, with the first episode that shows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from studio.contracts import Fault, Note
from studio.data.columns import InvalidColumn


@dataclass
class Findings:
    """Faults by key and kind, notes, and keys that hold the final state too."""

    notes: list[Note] = field(default_factory=list)
    final_states: list[str] = field(default_factory=list)
    _faults: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)

    def invalid(self, key: str, called: str, episode: str, error: InvalidColumn) -> None:
        """Record what is wrong with an episode's column.

        Args:
            key: of the fault; empty: the episode cannot be read without it.
            called: the column, as the file calls it.
            episode: its name; empty: the fault is of all episodes together.
        """
        where = f"{episode}: " if episode else ""
        self._faults.setdefault((key, error.remedy), []).append((episode, f"{where}'{called}' {error.what}"))

    def lacking(self, key: str, called: str, episodes: list[str]) -> None:
        """Record that episodes lack what the others have."""
        remedy = "Remove these episodes, or add what they lack."
        for episode in episodes:
            words = f"{episode} lacks '{called}', which other episodes have"
            self._faults.setdefault((key, remedy), []).append((episode, words))

    def note(self, sentence: str, key: str = "") -> None:
        """Record what is converted, left out or assumed; each sentence once per key."""
        if (note := Note(key, sentence)) not in self.notes:
            self.notes.append(note)

    def final_state(self, key: str) -> None:
        """Record that a key has one frame more than there are actions."""
        if key not in self.final_states:
            self.final_states.append(key)

    def keys(self) -> set[str]:
        """Return the keys that something is wrong with."""
        return {key for key, _ in self._faults}

    def faults(self) -> tuple[Fault, ...]:
        """Return each kind of fault once, with how many episodes have it."""
        found = []
        for (key, remedy), places in self._faults.items():
            others = len({episode for episode, _ in places}) - 1
            more = f" (and {others} more episode{'s' if others > 1 else ''} like it)" if others else ""
            found.append(Fault(key, f"{places[0][1]}{more}.", remedy))
        return tuple(found)
