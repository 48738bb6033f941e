"""The table view of the runs: columns, delegates, and which runs are selected."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from widgets.curves.overlay import Overlay, key_of
from widgets.runs.delegates import StateDelegate, SuccessDelegate, SwatchDelegate
from widgets.runs.table import CREATED, INFO, SHOWN, STATE, SUCCESS, RunFilter
from widgets.style import theme

_WIDEST = (  # a text as wide as each column's usual content
    "", "Goal-conditioned mm", "0.00mmmmm", "interrupted", "Episodes ", "Seed ", "experiment", "Franka arm → UR5e arm",
    "On source ", "Duration ", "10 min ago",
)  # fmt: skip


class RunView(QTableView):
    """Shows the sorted and searched runs, newest first."""

    def __init__(self, runs: RunFilter, overlay: Overlay, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(runs)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSortingEnabled(True)
        self.sortByColumn(CREATED, Qt.SortOrder.DescendingOrder)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName(self.tr("Runs"))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 9)
        head = self.horizontalHeader()
        head.setSectionsMovable(True)
        head.setHighlightSections(False)
        head.setMinimumSectionSize(24)
        head.setStretchLastSection(True)
        self.setItemDelegateForColumn(SHOWN, SwatchDelegate(overlay, self))
        self.setItemDelegateForColumn(SUCCESS, SuccessDelegate(self))
        self.setItemDelegateForColumn(STATE, StateDelegate(self))
        wide = self.fontMetrics().horizontalAdvance
        for column, text in enumerate(_WIDEST):
            self.setColumnWidth(column, 26 if column == SHOWN else wide(text) + (28 if column == STATE else 16))
        theme.on_change(self, self.viewport().update)

    def selected(self) -> list[Any]:
        """Return the selected runs, in the table's order."""
        rows = sorted(self.selectionModel().selectedRows(SHOWN), key=lambda index: index.row())
        return [index.data(INFO) for index in rows]

    def folders(self) -> list[Path]:
        """Return the folders of the selected runs."""
        return [Path(run.folder) for run in self.selected()]

    def select(self, folders: Iterable[Path]) -> None:
        """Select runs by their folders."""
        wanted = {key_of(folder) for folder in folders}
        selection, runs = self.selectionModel(), self.model()
        selection.clearSelection()
        for row in range(runs.rowCount()):
            index = runs.index(row, SHOWN)
            if key_of(index.data(INFO).folder) in wanted:
                selection.select(
                    index, QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
                )
