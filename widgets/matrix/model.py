"""The matrix as Qt's views read it: rows are strategies, columns numbers of episodes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from studio.analysis.matrix_table import Cell, MatrixTable
from widgets.curves.axis import clock
from widgets.runs.report import rate

Index = QModelIndex | QPersistentModelIndex
CELL = Qt.ItemDataRole.UserRole  # the Cell; None where the comparison has none


class MatrixModel(QAbstractTableModel):
    """Gives each cell in words and as it is.

    Args:
        title: gives a strategy's title by its id.
        parent: owns the model.
    """

    def __init__(self, title: Callable[[str], str], parent: Any = None) -> None:
        super().__init__(parent)
        self.title = title
        self.table = MatrixTable([], [], {})

    def set_table(self, table: MatrixTable) -> None:
        """Take the matrix as it is now; the cursor stays where rows and columns do."""
        same = (table.rows, table.episodes) == (self.table.rows, self.table.episodes)
        if same:
            self.table = table
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, self.columnCount() - 1))
        else:
            self.beginResetModel()
            self.table = table
            self.endResetModel()

    def cell(self, index: Index) -> Cell | None:
        """Return the cell at a place."""
        return self.table.cells.get((self.table.rows[index.row()], self.table.episodes[index.column()]))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.table.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.table.episodes)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Vertical:
            id = self.table.rows[section]
            if role == Qt.ItemDataRole.DisplayRole:
                return self.title(id)
            return id if role == Qt.ItemDataRole.ToolTipRole else None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.tr("%1 ep").replace("%1", f"{self.table.episodes[section]:,}")
        return self.tr("Number of target demonstrations") if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        cell = self.cell(index)
        if role == CELL:
            return cell
        if role == Qt.ItemDataRole.DisplayRole:
            return self.words(cell)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.tip(index, cell)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self.tip(index, cell).replace("\n", ", ")
        return None

    def words(self, cell: Cell | None) -> str:
        """Return the score of a cell, or its state where it has none."""
        if cell is None:
            return ""
        if not cell.finished:
            return self.state_name(cell)
        mark = {"better": " ▲", "worse": " ▼", "": ""}[cell.verdict]
        decided = " ✓" if cell.decision is not None and cell.decision.ahead else ""
        return rate(cell.score, cell.measure) + mark + decided

    def second_line(self, cell: Cell, roomy: bool = True) -> str:
        """Return the interval, and how many seeds there are where some are missing; in short where there is no room."""
        if not cell.finished:
            words = self.tr("%1 of %2 seeds") if roomy else "%1/%2"
            return words.replace("%1", "0").replace("%2", str(len(cell.runs)))
        ends = (" – " if roomy else "–").join(rate(value, cell.measure) for value in (cell.low, cell.high))
        if not roomy:
            return ends.replace("0.", ".")
        if len(cell.finished) == len(cell.runs):
            return ends
        return f"{ends} · {len(cell.finished)}/{len(cell.runs)}"

    def state_name(self, cell: Cell) -> str:
        """Return a cell's state in words."""
        return {
            "empty": self.tr("not run"),
            "running": self.tr("running"),
            "failed": self.tr("failed"),
            "partial": self.tr("stopped"),
            "finished": self.tr("finished"),
        }[cell.state]

    def tip(self, index: Index, cell: Cell | None) -> str:
        """Return everything about a cell: score, seeds, trained numbers, seconds, and what its mark means."""
        episodes = self.table.episodes[index.column()]
        head = f"{self.title(self.table.rows[index.row()])}, {episodes:,} " + self.tr("episodes")
        if cell is None:
            words = self.tr("It learns from no demonstrations and is run once, in the first column.")
            return f"{head}\n{words}"
        lines = [f"{head}: {self.state_name(cell)}"]
        if cell.finished:
            words = self.tr("Success %1, 95% interval %2 to %3")
            if cell.measure == "return":
                words = self.tr("Return %1, 95% interval %2 to %3")
            for place, value in (("%1", cell.score), ("%2", cell.low), ("%3", cell.high)):
                words = words.replace(place, rate(value, cell.measure))
            lines.append(words)
        for seed, run in cell.runs.items():
            state = self.tr("not run") if run is None else run.state
            score = f" · {rate(run.success, run.measure)}" if run is not None and math.isfinite(run.success) else ""
            lines.append(self.tr("Seed %1: ").replace("%1", str(seed)) + state + score)
        if cell.trainable_parameters:
            lines.append(self.tr("Trainable parameters: ") + f"{cell.trainable_parameters:,}")
        if math.isfinite(cell.seconds):
            lines.append(self.tr("Training time: ") + clock(cell.seconds))
        if math.isfinite(cell.p):
            lines.append(self._verdict(cell))
        if cell.decision is not None:
            lines.append(self.decision_words(index, cell))
        return "\n".join(lines)

    def decision_words(self, index: Index, cell: Cell) -> str:
        """Return what the comparison that stops when it is decided says of a cell: who is ahead, by which episodes."""
        found = cell.decision
        if found is None:
            return ""
        own, rival = self.title(self.table.rows[index.row()]), self.title(cell.rival)
        wins, losses = found.wins, found.losses
        if found.ahead:
            words = self.tr("Decided: %1 is ahead of %2")
            if found.ahead < 0:
                own, rival, wins, losses = rival, own, losses, wins
        else:
            words = self.tr("Not decided yet: %1 against %2") if found.open else self.tr("No difference shown: %1, %2")
        counts = self.tr(", after %3 of %4 evaluation episodes (%5 won, %6 lost)")
        numbers = (own, rival, found.played, found.planned, wins, losses)
        text = words + counts
        for place, value in enumerate(numbers, 1):
            text = text.replace(f"%{place}", str(value))
        return text + "."

    def decided(self) -> tuple[int, int]:
        """Return how many pairs are decided, and of how many."""
        pairs = [cell.decision for cell in self.table.cells.values() if cell.decision is not None]
        return sum(bool(found.ahead) for found in pairs), len(pairs)

    def _verdict(self, cell: Cell) -> str:
        words = {
            "better": self.tr("Better than %1 beyond chance (p = %2, corrected over %3 cells)"),
            "worse": self.tr("Worse than %1 beyond chance (p = %2, corrected over %3 cells)"),
            "": self.tr("No difference to %1 beyond chance (p = %2, corrected over %3 cells)"),
        }[cell.verdict]
        words = words.replace("%1", self.title(self.table.reference)).replace("%2", f"{cell.p:.2g}")
        return words.replace("%3", str(self.table.tests))
