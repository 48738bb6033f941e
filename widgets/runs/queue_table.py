"""The model of the queue's table: a row for each entry, in order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from studio.run.queue_entry import Entry
from widgets.curves.axis import clock
from widgets.runs.table import INFO, PROGRESS, head_data
from widgets.style import theme

Index = QModelIndex | QPersistentModelIndex
NAME, STATE, STRATEGY, EPISODES, SEED, TIME = range(6)
_RIGHT = (EPISODES, SEED, TIME)


class QueueTable(QAbstractTableModel):
    """Shows the entries of a queue.

    Args:
        title: gives a strategy's title by its id.
    """

    def __init__(self, title: Callable[[str], str], parent: Any = None) -> None:
        super().__init__(parent)
        self._title = title
        self.rows: list[Entry] = []
        self._fraction: float | None = None  # of the running entry, where this program runs it

    def set_entries(self, entries: list[Entry]) -> None:
        """Take the entries as they are now. The rows are laid out again only where others are there, or their order."""
        same = [entry.id for entry in entries] == [entry.id for entry in self.rows]
        if not same:
            self.beginResetModel()
        self.rows = list(entries)
        if not same:
            self.endResetModel()
        else:
            self.redraw()

    def set_fraction(self, fraction: float | None) -> None:
        """Take how far the running entry is; None where another program runs it."""
        if fraction != self._fraction:
            self._fraction = fraction
            for row, entry in enumerate(self.rows):
                if entry.state == "running":
                    self.dataChanged.emit(self.index(row, STATE), self.index(row, STATE))

    def redraw(self) -> None:
        """Draw every cell again."""
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, TIME))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return TIME + 1

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        title, help = (
            (self.tr("Run"), self.tr("Name of the experiment, after its comparison's where it is of one")),
            (self.tr("State"), self.tr("What becomes of it. A run that was stopped or failed can be resumed.")),
            (self.tr("Strategy"), self.tr("Transfer strategy")),
            (self.tr("Episodes"), self.tr("Number of target demonstrations")),
            (self.tr("Seed"), self.tr("Seed of the run")),
            (self.tr("Time"), self.tr("How long it took, source policy and evaluation included")),
        )[section]
        return head_data(title, help, section in _RIGHT, role)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry, column = self.rows[index.row()], index.column()
        if role == INFO:
            return entry
        if role == PROGRESS:
            return self._fraction if entry.state == "running" else None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(entry, column)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in _RIGHT:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(line for line in (self.text(entry, NAME), entry.message, entry.folder) if line)
        if role == Qt.ItemDataRole.ForegroundRole and entry.state in ("finished", "skipped"):
            return theme.color("muted")
        return None

    def text(self, entry: Entry, column: int) -> str:
        """Return a cell in words."""
        plan = entry.experiment
        if column == STATE:
            return self._state(entry)
        return {
            NAME: lambda: plan.name,
            STRATEGY: lambda: self.tr("Decisions") if entry.decides else self._title(plan.strategy.id),
            EPISODES: lambda: f"{plan.target.episodes:,}",
            SEED: lambda: str(plan.seed),
            TIME: lambda: clock(entry.seconds) if entry.seconds and math.isfinite(entry.seconds) else "–",
        }[column]()

    def _state(self, entry: Entry) -> str:
        if entry.state == "running":
            if entry.request:
                return self.tr("stopping")
            return self.tr("running") + (f" {self._fraction:.0%}" if self._fraction is not None else "")
        return {
            "waiting": self.tr("to resume") if entry.folder else self.tr("waits"),
            "finished": self.tr("finished"),
            "failed": self.tr("failed"),
            "stopped": self.tr("stopped"),
            "skipped": self.tr("skipped"),
        }[entry.state]
