"""Exact snapshots of a batch's only simulation, and a bounded history of them to step back through.

A snapshot holds all that the next step depends on: MuJoCo's integration state, the outputs that lag behind it and that
tasks read, the values of the model that were randomized, and what the world, its control and its task declare as their
state. Restored, the simulation goes on bit for bit as it did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import mujoco.batch
import numpy as np

from studio.sim.state import StateOwner, declared, put_back

Array = np.ndarray


@dataclass(frozen=True)
class Snapshot:
    """The whole state at one step. ``extra`` is the owner's own: counters that no array holds."""

    state: Array
    warning: Array
    outputs: dict[str, Array]
    model: dict[str, Array]  # shared by all snapshots between two randomizations
    declared: list[tuple[Any, str, Array]]  # (object or dict, name, value) of what the owners declare
    extra: Any


class Keeper:
    """Takes and restores snapshots of a batch of one simulation.

    Args:
        owners: what keeps state beside the batch, and names it.
        fields: the batch's fields that are bound, by name, live; those that cannot be written are outputs.
    """

    def __init__(
        self, batch: mujoco.batch.Batch, owners: Sequence[StateOwner] = (), fields: Mapping[str, Array] | None = None
    ) -> None:
        self._batch, self._owners, self._bound = batch, owners, {} if fields is None else fields
        self._fields: tuple[str, ...] = ()
        self._model: dict[str, Array] = {}

    def note_randomization(self) -> None:
        """Note that values of the model may have become the simulation's own."""
        expanded = self._batch.expanded
        self._fields = tuple(f for f in sorted(mujoco.batch.MODEL_FIELDS) if expanded(f) is not None)

    def take(self, extra: Any = None) -> Snapshot:
        """Return a copy of the present state."""
        batch = self._batch
        outputs = {name: value.copy() for name, value in self._bound.items() if not value.flags.writeable}
        kept = [(owner, name, value.copy()) for owner, name, value in declared(self._owners)]
        values = {name: batch.expanded(name) for name in self._fields}
        if values.keys() != self._model.keys() or any(
            not np.array_equal(value, self._model[name], equal_nan=True) for name, value in values.items()
        ):
            self._model = {name: np.array(value) for name, value in values.items()}
        return Snapshot(batch.state[0].copy(), batch.warning[0].copy(), outputs, self._model, kept, extra)

    def restore(self, snapshot: Snapshot) -> bool:
        """Restore everything, and return whether that changed values of the model.

        Values that became the simulation's own since then are the model's again; entries made since then are removed.
        """
        batch = self._batch
        batch.state[0] = snapshot.state
        batch.warning[0] = snapshot.warning
        for name, saved in snapshot.outputs.items():
            live = self._bound[name].view()
            live.setflags(write=True)  # an output, which the batch offers for reading only
            live[...] = saved
        known = {(id(owner), name) for owner, name, _ in snapshot.declared}
        for owner, name, _ in list(declared(self._owners)):
            if isinstance(owner, dict) and (id(owner), name) not in known:
                del owner[name]
        for owner, name, saved in snapshot.declared:
            put_back(owner, name, saved)
        changed = snapshot.model is not self._model
        for name in self._fields:
            own = snapshot.model.get(name)
            batch.expand(name)[...] = attrgetter(name)(batch.model) if own is None else own
        self._model = snapshot.model
        return changed


class History:
    """The last ``capacity`` entries and a cursor among them; going on from the past removes what came after it."""

    def __init__(self, capacity: int) -> None:
        self._capacity = max(2, capacity)
        self._entries: list[Snapshot] = []
        self.cursor = -1

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> Sequence[Snapshot]:
        """All entries, oldest first; not to be changed."""
        return self._entries

    @property
    def at_end(self) -> bool:
        """Whether there is no entry after the cursor's."""
        return self.cursor >= len(self._entries) - 1

    def push(self, entry: Snapshot) -> None:
        """Add the entry that follows the cursor's."""
        del self._entries[self.cursor + 1 :]
        self._entries.append(entry)
        if len(self._entries) > self._capacity:
            del self._entries[0]
        self.cursor = len(self._entries) - 1

    def replace(self, entry: Snapshot) -> None:
        """Replace the cursor's entry after a person changed the state, and remove what came after it."""
        self.cursor -= 1
        self.push(entry)

    def go(self, index: int) -> Snapshot:
        """Move the cursor to an entry, within those there are, and return that."""
        self.cursor = min(max(index, 0), len(self._entries) - 1)
        return self._entries[self.cursor]
