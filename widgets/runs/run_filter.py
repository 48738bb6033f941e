"""Sorts and searches the table of runs."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSortFilterProxyModel

from widgets.runs.query import Condition, parse
from widgets.runs.table import RUNS, SORT, Index, RunTable


class RunFilter(QSortFilterProxyModel):
    """Sorts by any column, and keeps the runs for which a search holds (:mod:`widgets.runs.query`), and their rows."""

    def __init__(self, table: RunTable, parent: Any = None) -> None:
        super().__init__(parent)
        self._table = table
        self._conditions: list[Condition] = []
        self.setSourceModel(table)
        self.setSortRole(SORT)

    @property
    def searches(self) -> bool:
        """Whether some runs may be left out."""
        return bool(self._conditions)

    def search(self, text: str) -> None:
        """Take the search's text."""
        self._conditions = parse(text)
        self.invalidate()

    def runs_at(self, index: Index) -> list[Any]:
        """Return the runs of a row that the search has found."""
        below = [self.index(row, 0, index) for row in range(self.rowCount(index))]
        return [run for child in below for run in child.data(RUNS)] or list(index.data(RUNS))

    def runs(self) -> list[Any]:
        """Return all runs that the search has found."""
        return [run for row in range(self.rowCount()) for run in self.runs_at(self.index(row, 0))]

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        if not self._conditions:
            return True
        found = self._table.index(row, 0, parent).data(RUNS)
        return any(all(holds(self._table.text.searched(run)) for holds in self._conditions) for run in found)

    def lessThan(self, left: Index, right: Index) -> bool:
        a, b = left.data(SORT), right.data(SORT)
        return bool(a < b) if a != b else left.row() < right.row()
